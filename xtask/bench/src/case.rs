//! Programs that are timed, and those that they are compared with.
//!
//! Trap: most of a test run is not spent in the program but in the kernel's loop, the driver, and a tail call that
//! mitigations make expensive. Times and ratios are of whole repeats with their packets, since a program never runs
//! without receiving and handing over a packet; net figures without an empty program's time are given as well.

use anyhow::Result;

use crate::{
    driver::Driver,
    floor::Floors,
    progress::Progress,
    result::{Group, Ratio, Row, Target},
    rounds::{self, Length, Subject, Times},
};

/// A future row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    /// The row's name.
    pub name: String,
    /// What is timed.
    pub subject: Subject,
    /// What it is compared with, and its name.
    pub against: Option<(&'static str, Subject)>,
    /// The target.
    pub target: Option<Target>,
    /// Its place in a chart: the axis and the value on it.
    pub point: Option<(&'static str, f64)>,
}

impl Case {
    /// Without a comparison.
    pub fn new(name: &str, subject: Subject) -> Self {
        let name = format!("{name}, {}", subject.spread.name());
        Self { name, subject, against: None, target: None, point: None }
    }

    /// With a comparison.
    #[must_use]
    pub fn against(mut self, name: &'static str, subject: Subject) -> Self {
        self.against = Some((name, subject));
        self
    }

    /// With a target.
    #[must_use]
    pub const fn at_most(mut self, ratio: f64) -> Self {
        self.target = Some(Target::AtMost(ratio));
        self
    }
}

/// Times all cases, also net of the empty program.
pub fn measure(
    group: Group,
    cases: &[Case],
    driver: &mut Driver,
    floors: &Floors,
    length: Length,
    progress: &mut Progress,
) -> Result<Vec<Row>> {
    let all = cases.iter().flat_map(|case| {
        let against = case.against.map(|(_, against)| against);
        let subjects = [Some(case.subject), against].into_iter().flatten();
        subjects.flat_map(move |subject| [subject, nothing(&subject, floors)])
    });
    let times = rounds::measure(driver, all, length, progress)?;
    Ok(cases.iter().map(|case| row(group, case, &times, floors)).collect())
}

/// The same packets with the empty program.
fn nothing(subject: &Subject, floors: &Floors) -> Subject {
    Subject { slot: floors.empty_beside(subject.slot), shape: subject.shape.plain(), ..*subject }
}

fn row(group: Group, case: &Case, times: &Times, floors: &Floors) -> Row {
    let raw = times.of(&case.subject);
    let net = |subject: &Subject| pairwise(times.of(subject), times.of(&nothing(subject, floors)), |a, b| a - b);
    let mut row = Row::new(group, &case.name, "ns", raw);
    let mut net_ratio = None;
    if let Some((name, against)) = &case.against {
        let ratios = pairwise(raw, times.of(against), |a, b| a / b);
        row = row.with(Ratio::of_instances(*name, &ratios, case.subject.slot.instances()));
        net_ratio = Some(Ratio::new(*name, &pairwise(&net(&case.subject), &net(against), |a, b| a / b)));
    }
    if case.subject.slot != floors.empty_beside(case.subject.slot) {
        row = row.with_net(&net(&case.subject), net_ratio);
    }
    if let Some((axis, x)) = case.point {
        row = row.with_point(axis, x, case.subject.spread.name());
    }
    match case.target {
        Some(target) => row.with_target(target),
        None => row,
    }
}

/// Round by round.
fn pairwise(a: &[f64], b: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| with(*a, *b)).collect()
}
