//! What a measurement yields.

use serde::{Deserialize, Serialize};

/// Which part of the benchmark a row belongs to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// How long the program takes for a packet.
    Program,
    /// How that grows with the configuration and the packet.
    Scaling,
    /// Packets per second from end to end.
    Packets,
    /// What commands take, and what traffic notices of them.
    Control,
}

impl Group {
    /// In the order in which they run and are shown.
    pub const ALL: [Self; 4] = [Self::Program, Self::Scaling, Self::Packets, Self::Control];

    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Scaling => "scaling",
            Self::Packets => "packets",
            Self::Control => "control",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The part of the benchmark.
    pub group: Group,
    /// What was measured; names a row within its group, from run to run.
    pub name: String,
    /// Of `median`, `low` and `high`, such as "ns", "Mpps", "ms", "packets" or "MiB". More is worse, but for "Mpps".
    pub unit: String,
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
    /// Against another program, taken within each round, since absolute times drift.
    pub ratio: Option<Ratio>,
    /// What is aimed at: judged by the ratio if there is one, else by the median.
    pub target: Option<Target>,
    /// The same without what the measurement itself takes, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Net>,
    /// Where it stands in a chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
}

/// A time without what an empty program took in the same round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Net {
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
    /// Against the other program's, also without.
    pub ratio: Option<Ratio>,
}

/// A point of a curve.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Point {
    /// What grows, such as "services".
    pub axis: String,
    /// How much of it there is.
    pub x: f64,
    /// Which curve, such as "hot".
    pub series: String,
}

/// A ratio that was taken within each round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ratio {
    /// What it is a ratio to.
    pub against: String,
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Ratio {
    /// From one value for each round.
    pub fn new(against: impl Into<String>, rounds: &[f64]) -> Self {
        let [low, median, high] = quartiles(rounds);
        Self { against: against.into(), median, low, high }
    }
}

impl Target {
    /// Whether a figure is good enough.
    pub fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

impl Row {
    /// A row without ratio and target, from what the rounds measured.
    pub fn new(group: Group, name: impl Into<String>, unit: impl Into<String>, rounds: &[f64]) -> Self {
        let [low, median, high] = quartiles(rounds);
        let (name, unit) = (name.into(), unit.into());
        Self { group, name, unit, median, low, high, ratio: None, target: None, net: None, point: None }
    }

    /// With the ratio to another program, one value for each round.
    #[must_use]
    pub fn with_ratio(mut self, against: impl Into<String>, rounds: &[f64]) -> Self {
        self.ratio = Some(Ratio::new(against, rounds));
        self
    }

    /// With what remains without the measurement's own share, one value for each round, and the ratio of that.
    #[must_use]
    pub fn with_net(mut self, rounds: &[f64], ratio: Option<Ratio>) -> Self {
        let [low, median, high] = quartiles(rounds);
        self.net = Some(Net { median, low, high, ratio });
        self
    }

    /// With its place in a chart.
    #[must_use]
    pub fn with_point(mut self, axis: &str, x: f64, series: &str) -> Self {
        self.point = Some(Point { axis: axis.to_owned(), x, series: series.to_owned() });
        self
    }

    /// With something to aim at.
    #[must_use]
    pub const fn with_target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether a larger figure is a worse one: of all but rates, and of ratios of all but rates.
    pub fn more_is_worse(&self) -> bool {
        !self.unit.ends_with("pps")
    }

    /// What the target is judged by.
    pub fn figure(&self) -> f64 {
        self.ratio.as_ref().map_or(self.median, |ratio| ratio.median)
    }
}

/// Lower quartile, median and upper quartile, between neighbours where the number of values asks for it; NaN for none.
pub fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|part| {
        let place = part * sorted.len().saturating_sub(1) as f64;
        let (below, above) = (sorted.get(place.floor() as usize), sorted.get(place.ceil() as usize));
        match (below, above) {
            (Some(below), Some(above)) => below + (above - below) * place.fract(),
            _ => f64::NAN,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_few_and_of_many() {
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
        assert_eq!(quartiles(&[4.0, 1.0, 2.0, 3.0]), [1.75, 2.5, 3.25]);
        let many: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(quartiles(&many), [25.0, 50.0, 75.0]);
        assert!(quartiles(&[])[1].is_nan());
    }

    #[test]
    fn the_ratio_is_judged_where_there_is_one() {
        let row =
            Row::new(Group::Program, "x", "ns", &[30.0]).with_ratio("floor", &[1.5]).with_target(Target::AtMost(2.0));
        assert_eq!(row.figure(), 1.5);
        assert!(Target::AtMost(1.5).is_met(row.figure()) && !Target::AtLeast(1.6).is_met(row.figure()));
    }
}
