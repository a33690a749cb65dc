//! Whether two ends of paths are the same: what is returned, what is in the packet, and what was stored to tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    contracts::XDP_REDIRECT,
    domain::{Domain as _, Stop},
    state::{State, Write},
    symbolic::Symbolic,
    term::Term,
};

/// `XDP_TX`, and to another interface.
pub const SENDING: [u64; 2] = [3, XDP_REDIRECT];

/// What was done on one side.
#[derive(Debug)]
pub struct Side<'a> {
    pub name: &'static str,
    pub action: Term,
    /// Where the packet starts.
    pub start: i64,
    /// Bytes of the packet that were written.
    pub packet: &'a BTreeMap<u64, Term>,
    pub writes: &'a [Write<Term>],
}

/// What came of it.
#[derive(Debug)]
pub struct Compared {
    /// Whether the solver was asked because terms were not the same.
    pub asked: bool,
    /// What differs, and where that is so.
    pub difference: Option<(String, Option<Term>)>,
}

pub fn compare(domain: &mut Symbolic, sides: &[Side<'_>; 2]) -> Result<Compared, Stop<Term>> {
    let [one, other] = sides;
    let alike = |(a, b): (&Write<Term>, &Write<Term>)| a.table == b.table && a.size == b.size;
    if one.writes.len() != other.writes.len() || !one.writes.iter().zip(other.writes).all(alike) {
        let what = format!("the {}, the {}", stores(one), stores(other));
        return Ok(Compared { asked: false, difference: Some((what, None)) });
    }
    if one.start != other.start {
        let what = format!("the {}'s frame starts at {}, the {}'s at {}", one.name, one.start, other.name, other.start);
        return Ok(Compared { asked: false, difference: Some((what, None)) });
    }
    let mut equal = vec![("the action", domain.terms.equal(one.action, other.action))];
    let places: BTreeSet<_> = one.packet.keys().chain(other.packet.keys()).collect();
    for &place in places {
        let before = domain.packet_byte(place);
        let [a, b] = [one, other].map(|side| side.packet.get(&place).copied().unwrap_or(before));
        equal.push(("a byte of the packet", domain.terms.equal(a, b)));
    }
    for (a, b) in one.writes.iter().zip(other.writes) {
        equal.push(("where a table is written", domain.terms.equal(a.address, b.address)));
        equal.push(("what is written to a table", domain.terms.equal(a.value, b.value)));
    }
    equal.retain(|(_, condition)| domain.terms.is_true(*condition) != Some(true));
    if equal.is_empty() {
        return Ok(Compared { asked: false, difference: None });
    }
    let conditions: Vec<_> = equal.iter().map(|(_, condition)| *condition).collect();
    let all = domain.terms.all(&conditions);
    if domain.holds(all)? {
        return Ok(Compared { asked: true, difference: None });
    }
    for (what, condition) in equal {
        if !domain.holds(condition)? {
            let opposite = domain.terms.not(condition);
            let what = format!("the {} and the {} differ in {what}", one.name, other.name);
            return Ok(Compared { asked: true, difference: Some((what, Some(opposite))) });
        }
    }
    Err(Stop::Failed("the solver contradicts itself".into()))
}

/// Fails if the packet was changed and is not sent.
pub fn sends_what_it_changed(domain: &mut Symbolic, action: Term, state: &State<Term>) -> Result<(), Stop<Term>> {
    if !state.has_changed_packet() {
        return Ok(());
    }
    let sends = SENDING.map(|sends| {
        let sends = domain.constant(sends);
        domain.terms.equal(action, sends)
    });
    let is_sent = domain.terms.any(&sends);
    if domain.holds(is_sent)? { Ok(()) } else { Err(Stop::Fault("the packet is changed and not sent".into())) }
}

fn stores(side: &Side<'_>) -> String {
    let stores: Vec<_> = side.writes.iter().map(|write| format!("{} bytes to {}", write.size, write.table)).collect();
    format!("{} stores {stores:?}", side.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Kind;

    #[test]
    fn what_is_changed_is_sent() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let (byte, unknown) = (domain.terms.constant(0, 8), domain.terms.unknown("action", 64));
        let untouched = State::new(0, []);
        let changed = State { packet: BTreeMap::from([(0, byte)]), ..untouched.clone() };
        let moved = State { start: 4, ..untouched.clone() };
        let [dropped, passed, sent, redirected] = [1, 2, 3, 4].map(|action| domain.constant(action));
        for action in [dropped, passed, unknown] {
            assert!(sends_what_it_changed(&mut domain, action, &untouched).is_ok());
            for changed in [&changed, &moved] {
                let fault = sends_what_it_changed(&mut domain, action, changed);
                assert!(matches!(fault, Err(Stop::Fault(what)) if what.contains("not sent")));
            }
        }
        for action in [sent, redirected] {
            assert!(sends_what_it_changed(&mut domain, action, &changed).is_ok());
        }
        let is_sent = domain.terms.equal(unknown, sent);
        domain.assume(is_sent).unwrap();
        assert!(sends_what_it_changed(&mut domain, unknown, &changed).is_ok());
    }
}
