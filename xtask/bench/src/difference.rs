//! Whether the figures of two runs differ beyond noise.
//!
//! A difference counts if the medians are further apart than both runs' quartiles together, and than two runs of the
//! same program may be: with a hundred rows, a milder rule finds something in every run.
//!
//! Trap: rounds of a run agree better than runs do, since equal instances differ as long as they live, and each run has
//! others. So medians must also be further apart than the instances of each run are. And where rounds are so noisy that
//! this would hide nearly everything, a large difference counts if the instances tell that it is real.

use crate::result::{Ratio, Row};

/// A difference of this part of the median is large.
const LARGE: f64 = 0.15;

/// How many standard errors a large difference must have.
const ERRORS: f64 = 2.0;

/// A median with what is known about its spread.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a> {
    low: f64,
    median: f64,
    high: f64,
    /// The median of each instance; none if they are not known.
    instances: &'a [f64],
}

impl<'a> Figures<'a> {
    /// Those of a ratio.
    pub fn of_ratio(ratio: &'a Ratio) -> Self {
        let Ratio { against: _, median, low, high, instances } = ratio;
        Self { low: *low, median: *median, high: *high, instances }
    }

    /// Those of a row's own values.
    pub const fn of_row(row: &Row) -> Self {
        Self { low: row.low, median: row.median, high: row.high, instances: &[] }
    }

    /// The median.
    pub const fn median(&self) -> f64 {
        self.median
    }

    /// How far its instances are apart.
    fn range(&self) -> f64 {
        let most = self.instances.iter().copied().max_by(f64::total_cmp);
        let least = self.instances.iter().copied().min_by(f64::total_cmp);
        most.zip(least).map_or(0.0, |(most, least)| most - least)
    }

    /// The square of the standard error of its instances' mean.
    fn squared_error(&self) -> f64 {
        let count = self.instances.len() as f64;
        let mean = self.instances.iter().sum::<f64>() / count;
        let squares: f64 = self.instances.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (count - 1.0) / count
    }
}

/// Whether two runs differ; `noise` is the part of the median by which two runs of the same program may.
pub fn differ(was: &Figures<'_>, is: &Figures<'_>, noise: f64) -> bool {
    let distance = (is.median - was.median).abs();
    let part = |of: f64| distance > of * was.median.abs();
    let spread = was.high - was.low + is.high - is.low;
    let clear = distance > spread && part(noise) && distance > was.range() + is.range();
    let known = was.instances.len() > 1 && is.instances.len() > 1;
    clear || known && part(noise.max(LARGE)) && distance > ERRORS * (was.squared_error() + is.squared_error()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quartiles and the median of a run, and the medians of its three instances.
    type Run = ([f64; 3], [f64; 3]);

    /// Six runs of the same commit each, on a machine with other work.
    const STEER: [Run; 6] = [
        ([1.621, 1.628, 1.640], [1.635, 1.627, 1.623]),
        ([1.633, 1.682, 1.709], [1.683, 1.692, 1.631]),
        ([1.637, 1.660, 1.691], [1.626, 1.666, 1.661]),
        ([1.611, 1.625, 1.652], [1.617, 1.617, 1.665]),
        ([1.609, 1.655, 1.701], [1.761, 1.598, 1.681]),
        ([1.667, 1.679, 1.698], [1.655, 1.682, 1.699]),
    ];
    const MEMBER: [Run; 6] = [
        ([1.908, 1.938, 1.948], [1.927, 1.933, 1.938]),
        ([1.899, 1.924, 1.958], [1.912, 1.945, 1.926]),
        ([1.839, 1.911, 1.933], [1.892, 1.936, 1.841]),
        ([1.824, 1.935, 2.019], [1.896, 1.779, 1.998]),
        ([1.795, 1.882, 1.946], [1.838, 1.945, 1.922]),
        ([1.660, 1.902, 1.994], [2.030, 1.934, 1.604]),
    ];
    const NOISE: f64 = 0.03;

    const fn figures(([low, median, high], instances): &Run) -> Figures<'_> {
        Figures { low: *low, median: *median, high: *high, instances }
    }

    fn times(([low, median, high], instances): &Run, factor: f64) -> Run {
        ([low * factor, median * factor, high * factor], instances.map(|value| value * factor))
    }

    /// Each pair of different runs.
    fn pairs(runs: &[Run; 6]) -> impl Iterator<Item = (&Run, &Run)> {
        runs.iter().flat_map(move |one| runs.iter().filter(move |other| *other != one).map(move |other| (one, other)))
    }

    #[test]
    fn runs_of_the_same_commit_do_not_differ() {
        for (was, is) in pairs(&STEER).chain(pairs(&MEMBER)) {
            assert!(!differ(&figures(was), &figures(is), NOISE), "{was:?} {is:?}");
        }
    }

    #[test]
    fn a_quarter_more_time_is_a_difference_in_noisy_rows_too() {
        for (was, is) in pairs(&STEER).chain(pairs(&MEMBER)) {
            assert!(differ(&figures(was), &figures(&times(is, 1.25)), NOISE), "slower: {was:?} {is:?}");
            assert!(differ(&figures(was), &figures(&times(is, 0.75)), NOISE), "faster: {was:?} {is:?}");
        }
    }

    #[test]
    fn instances_that_differ_hide_small_differences_only() {
        let rounds = [1.20, 1.21, 1.22];
        let (alike, apart) = ([1.20, 1.21, 1.22], [1.10, 1.21, 1.32]);
        let more = |instances| times(&(rounds, instances), 1.10);
        assert!(differ(&figures(&(rounds, alike)), &figures(&more(alike)), NOISE));
        assert!(!differ(&figures(&(rounds, apart)), &figures(&more(apart)), NOISE));
    }

    #[test]
    fn without_instances_quartiles_decide() {
        let bare = |low, median, high| Figures { low, median, high, instances: &[] };
        assert!(differ(&bare(1.20, 1.21, 1.22), &bare(1.30, 1.31, 1.32), NOISE));
        assert!(!differ(&bare(1.0, 1.2, 1.6), &bare(1.3, 1.5, 1.7), NOISE));
    }
}
