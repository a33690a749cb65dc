//! The figures of a measurement.

use serde::{Deserialize, Serialize};

/// Which part of the benchmark a row belongs to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// How long the program takes for a packet.
    Program,
    /// How that grows with the configuration and the packet.
    Scaling,
    /// The same with two interfaces, and with prefixes.
    Paths,
    /// Packets per second from end to end.
    Packets,
    /// The cost of commands, and their effect on traffic.
    Control,
    /// How many connections role `keep` keeps, by simulation.
    Keep,
    /// Role `keep` on real servers: its cost, and connections that break.
    Servers,
}

impl Group {
    /// In the order in which they run and are shown.
    pub const ALL: [Self; 7] =
        [Self::Program, Self::Scaling, Self::Paths, Self::Packets, Self::Control, Self::Keep, Self::Servers];

    /// Its name in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Scaling => "scaling",
            Self::Paths => "paths",
            Self::Packets => "packets",
            Self::Control => "control",
            Self::Keep => "keep",
            Self::Servers => "servers",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The part of the benchmark.
    pub group: Group,
    /// The subject of the measurement; it identifies a row within its group from run to run.
    pub name: String,
    /// The unit of `median`, `low` and `high`: "ns", "Mpps", "ms", "packets", "MiB", "%", "frames", "Gbit/s",
    /// "1/s" or "×". More is worse except for rates and gains.
    pub unit: String,
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
    /// The ratio to another program, within each round, since absolute times drift.
    pub ratio: Option<Ratio>,
    /// The target for the ratio if there is one, or else for the median.
    pub target: Option<Target>,
    /// The same without the measurement's own share, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Net>,
    /// Its place in a chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
}

/// A time minus that of an empty program in the same round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Net {
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
    /// The ratio to the other program's, both net.
    pub ratio: Option<Ratio>,
}

/// A point of a curve.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Point {
    /// What grows, such as "services".
    pub axis: String,
    /// Its value.
    pub x: f64,
    /// Which curve, such as "hot".
    pub series: String,
}

/// A ratio, taken within each round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ratio {
    /// What it is relative to.
    pub against: String,
    /// The median over the rounds.
    pub median: f64,
    /// The lower quartile over the rounds.
    pub low: f64,
    /// The upper quartile over the rounds.
    pub high: f64,
    /// The median over the rounds of each instance, if there are several: equal ones differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<f64>,
}

/// A target.
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
        Self { against: against.into(), median, low, high, instances: Vec::new() }
    }

    /// The same of this many instances, which took turns.
    pub fn of_instances(against: impl Into<String>, rounds: &[f64], instances: usize) -> Self {
        let of = |instance: usize| rounds.iter().skip(instance).step_by(instances).copied().collect::<Vec<_>>();
        let medians = |count| (0..count).map(|instance| quartiles(&of(instance))[1]).collect();
        Self { instances: if instances > 1 { medians(instances) } else { Vec::new() }, ..Self::new(against, rounds) }
    }
}

impl Target {
    /// Whether a figure meets it.
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

    /// The same with a ratio that is known already.
    #[must_use]
    pub fn with(mut self, ratio: Ratio) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// With the net times, one value for each round, and their ratio.
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

    /// With a target.
    #[must_use]
    pub const fn with_target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether more is worse: for everything except rates, and ratios of rates, such as gains.
    pub fn more_is_worse(&self) -> bool {
        !matches!(&*self.unit, "Mpps" | "Gbit/s" | "1/s" | "×")
    }

    /// The figure that the target applies to.
    pub fn figure(&self) -> f64 {
        self.ratio.as_ref().map_or(self.median, |ratio| ratio.median)
    }
}

/// Lower quartile, median and upper quartile, interpolated if needed; NaN without values.
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
    fn instances_take_turns_from_round_to_round() {
        let ratio = Ratio::of_instances("floor", &[1.0, 2.0, 1.2, 2.2, 1.4, 2.4], 2);
        assert_eq!(ratio.instances, [1.2, 2.2]);
        assert!(Ratio::of_instances("floor", &[1.0, 2.0], 1).instances.is_empty());
    }

    #[test]
    fn the_target_applies_to_the_ratio_if_there_is_one() {
        let row =
            Row::new(Group::Program, "x", "ns", &[30.0]).with_ratio("floor", &[1.5]).with_target(Target::AtMost(2.0));
        assert_eq!(row.figure(), 1.5);
        assert!(Target::AtMost(1.5).is_met(row.figure()) && !Target::AtLeast(1.6).is_met(row.figure()));
    }
}
