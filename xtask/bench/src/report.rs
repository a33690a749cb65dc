//! A run as a whole: the table, and the JSON.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::{
    machine::Machine,
    result::{Group, Ratio, Row, Target},
};

/// The file with the figures, next to the charts.
pub const JSON: &str = "results.json";

/// All measurements, and where they were made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// Whether rounds were few and short.
    pub quick: bool,
    /// The figures.
    pub rows: Vec<Row>,
}

impl Report {
    /// Reads what [`Report::write`] wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a report of the benchmark", path.display()))
    }

    /// Writes it as JSON.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(JSON);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A table for each group that has rows, and the machine.
    pub fn table(&self) -> String {
        let Machine { kernel, cpu, cpus, mitigations, date, commit } = &self.machine;
        let mut text = format!("{date} UTC, commit {commit}\nLinux {kernel}, {cpus} × {cpu}\n");
        for (vulnerability, state) in mitigations {
            text += &format!("  {vulnerability}: {state}\n");
        }
        for group in Group::ALL {
            let rows: Vec<_> = self.rows.iter().filter(|row| row.group == group).collect();
            if !rows.is_empty() {
                text += &format!("\n{}\n{}\n", group.title(), table(&rows));
            }
        }
        let judged: Vec<_> = self.rows.iter().filter_map(|row| Some(row.target?.is_met(row.figure()))).collect();
        if !judged.is_empty() {
            let met = judged.iter().filter(|met| **met).count();
            text += &format!("\n{met} of {} targets are met.\n", judged.len());
        }
        text
    }
}

impl Group {
    const fn title(self) -> &'static str {
        match self {
            Self::Program => "Program time for a packet",
            Self::Scaling => "Program time as things grow",
            Self::Paths => "Program time with two interfaces, and with prefixes",
            Self::Packets => "Packets per second",
            Self::Control => "Control",
            Self::Keep => "Connections that break while servers come and go (simulated)",
            Self::Servers => "Role keep on real servers (times net of an empty program)",
        }
    }
}

/// Leaves out columns that are empty in all rows.
fn table(rows: &[&Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let (ratio, net) = (rows.iter().any(|row| row.ratio.is_some()), rows.iter().any(|row| row.net.is_some()));
    let mut header = vec!["", "median", "quartiles", ""];
    if ratio {
        header.extend(["ratio", "quartiles", "to"]);
    }
    if net {
        header.extend(["net", "ratio"]);
    }
    header.extend(["target", ""]);
    table.set_header(comfy_table::Row::from(header.clone()));
    for row in rows {
        let mut cells = vec![row.name.clone(), figure(row.median), spread(row.low, row.high), row.unit.clone()];
        if ratio {
            let of = |show: fn(&Ratio) -> String| row.ratio.as_ref().map(show).unwrap_or_default();
            cells.push(of(|ratio| figure(ratio.median)));
            cells.push(of(|ratio| spread(ratio.low, ratio.high)));
            cells.push(of(|ratio| ratio.against.clone()));
        }
        if net {
            let (time, ratio) =
                (row.net.as_ref().map(|net| net.median), row.net.as_ref().and_then(|net| net.ratio.as_ref()));
            cells.push(time.map_or_else(String::new, figure));
            cells.push(ratio.map_or_else(String::new, |ratio| figure(ratio.median)));
        }
        cells.push(row.target.map_or_else(String::new, |target| target.to_string()));
        cells.push(row.target.map_or("", |target| if target.is_met(row.figure()) { "✓" } else { "✗" }).to_owned());
        table.add_row(cells);
    }
    for (name, column) in header.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, 2));
        if matches!(*name, "median" | "quartiles" | "ratio" | "net" | "target") {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {}", limit(*most)),
            Self::AtLeast(least) => write!(f, "≥ {}", limit(*least)),
        }
    }
}

fn spread(low: f64, high: f64) -> String {
    format!("{}–{}", figure(low), figure(high))
}

/// A figure with only significant decimals.
pub fn figure(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 1_000.0 => format!("{value:.0}"),
        magnitude if magnitude >= 20.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

fn limit(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
