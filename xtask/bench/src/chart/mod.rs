//! The charts of a report.

mod bars;
mod lines;
mod svg;
mod value;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use self::{
    bars::{Bar, Bars},
    lines::{Curve, Lines},
    value::Value,
};
use crate::{
    report::Report,
    result::{Group, Row},
};

/// The loads, as suffixes of rows' names.
const LOADS: [&str; 2] = ["hot", "many"];

/// Writes a chart for every group and curve that has rows; returns the files' names.
pub fn write(report: &Report, directory: &Path) -> Result<Vec<String>> {
    let mut written = Vec::new();
    for (name, chart) in charts(report) {
        let path = directory.join(&name);
        fs::write(&path, chart).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(name);
    }
    Ok(written)
}

fn charts(report: &Report) -> Vec<(String, String)> {
    let of = |group: Group| report.rows.iter().filter(move |row| row.group == group);
    let mut charts = Vec::new();
    let program: Vec<_> = of(Group::Program).collect();
    if !program.is_empty() {
        charts.push(("program.svg".to_owned(), times(&program).svg()));
    }
    let rates: Vec<_> = of(Group::Packets).filter(|row| row.unit == "Mpps").collect();
    if !rates.is_empty() {
        charts.push(("packets.svg".to_owned(), throughput(&rates).svg()));
    }
    let scaling: Vec<_> = of(Group::Scaling).collect();
    for axis in axes(&scaling) {
        charts.push((format!("scaling-{}.svg", axis.replace(' ', "-")), growth(axis, &scaling).svg()));
    }
    let keep: Vec<_> = of(Group::Keep).collect();
    for axis in axes(&keep) {
        charts.push((format!("keep-{}.svg", axis.replace(", ", "-").replace(' ', "-")), broken(axis, &keep).svg()));
    }
    charts
}

/// The axes of rows' points, each once.
fn axes<'row>(rows: &[&'row Row]) -> Vec<&'row str> {
    let mut axes = Vec::new();
    for axis in rows.iter().filter_map(|row| Some(row.point.as_ref()?.axis.as_str())) {
        if !axes.contains(&axis) {
            axes.push(axis);
        }
    }
    axes
}

/// Two bars for each kind of packet.
fn times(rows: &[&Row]) -> Bars {
    let mut bars: Vec<Bar> = Vec::new();
    for row in rows {
        let (label, load) = row.name.rsplit_once(", ").unwrap_or((&row.name, LOADS[0]));
        let place = LOADS.iter().position(|name| *name == load).unwrap_or(0);
        let bar = match bars.iter_mut().find(|bar| bar.label == label) {
            Some(bar) => bar,
            None => {
                bars.push(Bar { label: label.to_owned(), values: vec![None; LOADS.len()] });
                let last = bars.len() - 1;
                &mut bars[last]
            }
        };
        bar.values[place] = Some((*row).into());
    }
    Bars {
        title: "Time for a packet, the test run and the driver included".to_owned(),
        unit: "ns".to_owned(),
        series: LOADS.map(str::to_owned).to_vec(),
        bars,
    }
}

fn throughput(rows: &[&Row]) -> Bars {
    let bar = |row: &&Row| Bar { label: row.name.clone(), values: vec![Some((*row).into())] };
    Bars {
        title: "Packets per second, one CPU unless two are named".to_owned(),
        unit: "million packets per second".to_owned(),
        series: vec!["median, quartiles".to_owned()],
        bars: rows.iter().map(bar).collect(),
    }
}

fn growth(axis: &str, rows: &[&Row]) -> Lines {
    Lines {
        title: format!("Time for a packet by number of {axis}"),
        x: axis.to_owned(),
        unit: "ns".to_owned(),
        curves: LOADS
            .into_iter()
            .map(|load| curve(axis, load, rows))
            .filter(|curve| !curve.points.is_empty())
            .collect(),
    }
}

/// A curve for each selection.
fn broken(axis: &str, rows: &[&Row]) -> Lines {
    let mut series = Vec::new();
    for point in rows.iter().filter_map(|row| row.point.as_ref()).filter(|point| point.axis == axis) {
        if !series.contains(&point.series.as_str()) {
            series.push(&point.series);
        }
    }
    Lines {
        title: format!("Broken connections by number of {axis}"),
        x: axis.to_owned(),
        unit: "%".to_owned(),
        curves: series.into_iter().map(|series| curve(axis, series, rows)).collect(),
    }
}

fn curve(axis: &str, series: &str, rows: &[&Row]) -> Curve {
    let points = rows.iter().filter_map(|row| {
        let point = row.point.as_ref()?;
        (point.axis == axis && point.series == series).then(|| (point.x, Value::from(*row)))
    });
    Curve { name: series.to_owned(), points: points.collect() }
}
