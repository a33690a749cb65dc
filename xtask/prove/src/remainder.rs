//! The theorem about the formula's remainder: what the datapath adds up is congruent to the exact sum, and nothing
//! wraps.
//!
//! The exact sum has 129 bits. The datapath multiplies sums of digits of 32 bits by powers of 2^32 modulo T, which lie
//! next to T in a service's cell. Both are linear in the packet's fields. So they are congruent for all fields if they
//! are in each field's factor; and the largest sum is that of the largest fields. Both is looked up for every T.

use std::time::Instant;

use serde_json::{Value, json as object};

/// The most slots that a service can have.
const MOST_SLOTS: u64 = 65_536;
/// The 32-bit digits of an address, the least significant first.
const DIGITS: usize = 4;
/// Both addresses, the destination's port, the source's port, the protocol.
const FIELDS: usize = 2 * DIGITS + 3;

/// The factor of each field.
type Form = [u128; FIELDS];

/// The largest value of each field.
const LARGEST: Form = {
    let (digit, port, protocol) = (0xffff_ffff, 0xffff, 0xff);
    [digit, digit, digit, digit, digit, digit, digit, digit, port, port, protocol]
};

/// `2^32`, `2^64` and `2^96` modulo T.
type Powers = fn(u64) -> [u64; 3];

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The largest sum of all.
    largest: u128,
    /// The first T for which it does not hold, and why.
    refutation: Option<String>,
    seconds: f64,
}

impl Report {
    pub const fn is_proven(&self) -> bool {
        self.refutation.is_none()
    }
}

/// Looks at every T, of both formulas.
pub fn prove() -> Report {
    prove_with(powers)
}

fn prove_with(powers: Powers) -> Report {
    let start = Instant::now();
    let mut report = Report { largest: 0, refutation: None, seconds: 0.0 };
    for slots in 1..=MOST_SLOTS {
        for five in [false, true] {
            match judge(slots, &exact(five), &calculated(powers(slots), five)) {
                Ok(largest) => report.largest = report.largest.max(largest),
                Err(why) => {
                    report.refutation.get_or_insert(format!("{slots} slots: {why}"));
                }
            }
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    report
}

/// Calculated apart from the product: each from its own power of two.
fn powers(slots: u64) -> [u64; 3] {
    [32, 64, 96].map(|exponent| ((1_u128 << exponent) % u128::from(slots)) as u64)
}

/// The exact sum. In the 3-tuple the last two fields do not count.
fn exact(five: bool) -> Form {
    let digits = [0, 1, 2, 3, 0, 1, 2, 3].map(|digit| 1_u128 << (32 * digit));
    form(digits, five)
}

/// What the datapath calculates with these powers.
fn calculated([first, second, third]: [u64; 3], five: bool) -> Form {
    let digits = [1, first, second, third].map(u128::from);
    form([digits, digits].as_flattened().try_into().unwrap_or_default(), five)
}

fn form(digits: [u128; 2 * DIGITS], five: bool) -> Form {
    let mut form = [1; FIELDS];
    form[..2 * DIGITS].copy_from_slice(&digits);
    form[2 * DIGITS + 1..].fill(five.into());
    form
}

/// The largest sum, if it is congruent to the exact one for all fields, and fits.
fn judge(slots: u64, exact: &Form, calculated: &Form) -> Result<u128, String> {
    let differs = |field: &usize| !exact[*field].abs_diff(calculated[*field]).is_multiple_of(slots.into());
    if let Some(field) = (0..FIELDS).find(differs) {
        return Err(format!("field {field} counts {} times", calculated[field]));
    }
    // No field and no factor is negative, so no part of the sum is larger than the whole.
    let parts = LARGEST.iter().zip(calculated).map(|(largest, factor)| largest.checked_mul(*factor));
    let whole = parts.reduce(|whole, part| whole?.checked_add(part?)).flatten();
    whole.filter(|whole| *whole <= u64::MAX.into()).ok_or_else(|| "the sum may exceed 64 bits".into())
}

/// For people.
pub fn text(report: &Report) -> String {
    let Report { largest, refutation, seconds } = report;
    let verdict = if report.is_proven() { "PROVEN" } else { "NOT PROVEN" };
    let mut text = format!(
        "remainder of the sum = exact remainder: {verdict}\n  \
         T from 1 to {MOST_SLOTS}, both formulas, all fields; the largest sum is {largest:#x}; {seconds:.1} s"
    );
    if let Some(why) = refutation {
        text.push_str(&format!("\n  REFUTED: {why}"));
    }
    text
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let Report { largest, refutation, seconds } = report;
    object!({
        "theorem": "remainder of the sum = exact remainder",
        "proven": report.is_proven(),
        "most_slots": MOST_SLOTS,
        "largest_sum": *largest as u64,
        "seconds": seconds,
        "refutation": refutation,
    })
}

#[cfg(test)]
mod tests {
    use lb_common::{formula, limits::MAX_SLOTS_PER_SERVICE};

    use super::*;

    #[test]
    fn the_sum_is_congruent_and_does_not_wrap() {
        let report = prove();
        assert!(report.is_proven(), "{report:?}");
        // A digit sum has 33 bits and a power 16; the last digits, ports and the protocol come on top.
        assert!(report.largest > 1 << 50 && report.largest < 1 << 51, "{:#x}", report.largest);
    }

    /// User space fills these into cells.
    #[test]
    fn cells_hold_these_powers() {
        assert_eq!(MOST_SLOTS, u64::from(MAX_SLOTS_PER_SERVICE));
        for slots in 1..=MAX_SLOTS_PER_SERVICE {
            assert_eq!(formula::powers(slots).map(u64::from), powers(slots.into()), "{slots}");
        }
    }

    #[test]
    fn wrong_powers_are_refuted() {
        let wrong: [(Powers, &str); 3] = [
            (|slots| [powers(slots)[0]; 3], "field 2"),
            (|slots| powers(slots).map(|power| (power + u64::from(slots == 4_097)) % slots), "4097 slots"),
            // Congruent, but too large.
            (|slots| [powers(slots)[0], powers(slots)[1], powers(slots)[2] + (slots << 31)], "64 bits"),
        ];
        for (powers, why) in wrong {
            let refutation = prove_with(powers).refutation.unwrap();
            assert!(refutation.contains(why), "{refutation}");
        }
    }
}
