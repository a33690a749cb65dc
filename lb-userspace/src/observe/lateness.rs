//! How late attempts of health checks start: more work is due than this host, or the bound on attempts, lets through.

use std::time::Duration;

/// A histogram of lateness.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness {
    /// How many attempts were at most as late as the bound of the same index, and later than the one before.
    counts: [u64; Self::BOUNDS.len()],
    /// How many attempts were later than every bound.
    later: u64,
    sum: f64,
}

impl Lateness {
    /// Upper bounds, in seconds.
    pub const BOUNDS: [f64; 7] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

    /// Adds an attempt.
    pub fn add(&mut self, late: Duration) {
        let seconds = late.as_secs_f64();
        self.sum += seconds;
        match Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            Some(index) => self.counts[index] += 1,
            None => self.later += 1,
        }
    }

    /// The sum in seconds, the number of attempts, and how many fell into each bound's bucket; the last one has no
    /// bound.
    pub fn buckets(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let mut buckets: Vec<_> = Self::BOUNDS.into_iter().zip(self.counts).collect();
        buckets.push((f64::INFINITY, self.later));
        (self.sum, self.counts.iter().sum::<u64>() + self.later, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_is_in_one_bucket() {
        let mut lateness = Lateness::default();
        for milliseconds in [0, 5, 6, 90_000] {
            lateness.add(Duration::from_millis(milliseconds));
        }
        let (sum, count, buckets) = lateness.buckets();
        assert!((sum - 90.011).abs() < 1e-9);
        assert_eq!(count, 4);
        let counts: Vec<_> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 1]);
    }
}
