//! Numbers by chance, the same for the same seed on every machine.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// A number below this one.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.number() as u128 * end as u128) >> 64) as u64
    }

    /// One of two.
    pub const fn even(&mut self) -> bool {
        self.number() >> 63 == 0
    }

    /// An exponentially distributed time of this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        let share = (self.number() >> 11) as f64 / (1_u64 << 53) as f64;
        -mean * (1.0 - share).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_mean_and_numbers_their_range() {
        let mut chance = Chance::new(1);
        let sum: f64 = (0..100_000).map(|_| chance.exponential(5.0)).sum();
        assert!((4.9..5.1).contains(&(sum / 100_000.0)), "{sum}");
        let mut seen = [0; 7];
        (0..7_000).for_each(|_| seen[chance.below(7) as usize] += 1);
        assert!(seen.iter().all(|times| (850..1_150).contains(times)), "{seen:?}");
    }
}
