//! What got slower since an earlier run, beyond noise.
//!
//! Trap: absolute times differ from run to run for no reason in the program, so rows with a ratio are compared only by
//! it. What counts as a difference is up to `difference`.

use std::fmt::Write as _;

use crate::{
    difference::{Figures, differ},
    report::{Report, figure},
    result::Row,
};

/// By how much the medians of two runs of the same program may differ.
const NOISE_OF_RATIOS: f64 = 0.03;

/// The same for figures without a ratio, which drift.
const NOISE_OF_FIGURES: f64 = 0.20;

/// How two runs differ.
#[derive(Debug, Default)]
pub struct Comparison {
    /// A line for each row that got slower.
    pub slower: Vec<String>,
    /// A line for each row that got faster.
    pub faster: Vec<String>,
    /// The rows that the earlier run has and this one lacks, though it ran their part.
    pub missing: Vec<String>,
    /// How many were compared.
    pub compared: usize,
}

/// Compares each row that both runs have.
pub fn compare(before: &Report, now: &Report) -> Comparison {
    let mut comparison = Comparison::default();
    let measured = |row: &Row| now.rows.iter().any(|other| other.group == row.group);
    for old in &before.rows {
        match now.rows.iter().find(|row| row.group == old.group && row.name == old.name) {
            Some(new) => comparison.row(old, new),
            None if measured(old) => comparison.missing.push(format!("{}: {}", old.group.name(), old.name)),
            None => {}
        }
    }
    comparison
}

impl Comparison {
    fn row(&mut self, old: &Row, new: &Row) {
        self.compared += 1;
        let (was, is, noise) = match (&old.ratio, &new.ratio) {
            (Some(old), Some(new)) => (Figures::of_ratio(old), Figures::of_ratio(new), NOISE_OF_RATIOS),
            _ => (Figures::of_row(old), Figures::of_row(new), NOISE_OF_FIGURES),
        };
        if !differ(&was, &is, noise) {
            return;
        }
        let (was, is) = (was.median(), is.median());
        let line = line(old, new, was, is);
        if (is > was) == new.more_is_worse() { self.slower.push(line) } else { self.faster.push(line) }
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (what, lines) in [("slower", &self.slower), ("faster", &self.faster), ("not measured", &self.missing)] {
            for line in lines {
                let _ = writeln!(text, "{what}: {line}");
            }
        }
        let same = self.compared - self.slower.len() - self.faster.len();
        let _ = writeln!(text, "{same} of {} figures are the same within noise.", self.compared);
        text
    }
}

fn line(old: &Row, new: &Row, was: f64, is: f64) -> String {
    let unit = match (&old.ratio, &new.ratio) {
        (Some(_), Some(new)) => format!("times {}", new.against),
        _ => new.unit.clone(),
    };
    let change = if was == 0.0 { String::new() } else { format!(" ({:+.0} %)", (is / was - 1.0) * 100.0) };
    format!("{}: {}: {} → {} {unit}{change}", new.group.name(), new.name, figure(was), figure(is))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{machine::Machine, result::Group};

    fn report(rows: Vec<Row>) -> Report {
        let text = String::new;
        let machine = Machine {
            kernel: text(),
            cpu: text(),
            cpus: 1,
            mitigations: BTreeMap::new(),
            date: text(),
            commit: text(),
        };
        Report { machine, quick: false, rows }
    }

    fn timed(name: &str, nanoseconds: &[f64], ratios: &[f64]) -> Row {
        Row::new(Group::Program, name, "ns", nanoseconds).with_ratio("floor", ratios)
    }

    #[test]
    fn rows_with_ratios_are_compared_only_by_them() {
        let before = report(vec![timed("a", &[50.0], &[1.20, 1.21, 1.22]), timed("b", &[50.0], &[1.20, 1.21, 1.22])]);
        let now = report(vec![timed("a", &[90.0], &[1.20, 1.21, 1.22]), timed("b", &[40.0], &[1.30, 1.31, 1.32])]);
        let comparison = compare(&before, &now);
        assert_eq!(comparison.slower, ["program: b: 1.21 → 1.31 times floor (+8 %)"]);
        assert!(comparison.faster.is_empty() && comparison.compared == 2);
    }

    #[test]
    fn overlapping_quartiles_are_noise() {
        let before = report(vec![timed("a", &[50.0], &[1.0, 1.2, 1.6])]);
        let now = report(vec![timed("a", &[50.0], &[1.3, 1.5, 1.7])]);
        assert!(compare(&before, &now).slower.is_empty());
    }

    #[test]
    fn fewer_packets_per_second_are_slower() {
        let rate = |rate: f64| report(vec![Row::new(Group::Packets, "modlb", "Mpps", &[rate])]);
        assert_eq!(compare(&rate(2.0), &rate(1.0)).slower.len(), 1);
        assert_eq!(compare(&rate(1.0), &rate(2.0)).faster.len(), 1);
    }

    #[test]
    fn one_lost_packet_is_worse_than_none() {
        let lost = |packets: f64| report(vec![Row::new(Group::Control, "lost by attach", "packets", &[packets])]);
        assert_eq!(compare(&lost(0.0), &lost(1.0)).slower.len(), 1);
    }

    #[test]
    fn rows_of_parts_that_did_not_run_are_not_missing() {
        let before = report(vec![
            timed("a", &[1.0], &[1.0]),
            timed("b", &[1.0], &[1.0]),
            Row::new(Group::Packets, "modlb", "Mpps", &[1.0]),
        ]);
        let comparison = compare(&before, &report(vec![timed("a", &[1.0], &[1.0])]));
        assert_eq!(comparison.missing, ["program: b"]);
    }
}
