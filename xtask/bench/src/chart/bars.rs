//! Horizontal bars, with whiskers from quartile to quartile.

use super::{
    svg::{Anchor, Svg, class, ticks},
    value::Value,
};
use crate::report::figure;

/// The chart.
#[derive(Debug)]
pub struct Bars {
    pub title: String,
    pub unit: String,
    /// The names of each label's bars.
    pub series: Vec<String>,
    pub bars: Vec<Bar>,
}

/// A label, and a bar for each series that has a value.
#[derive(Debug)]
pub struct Bar {
    pub label: String,
    pub values: Vec<Option<Value>>,
}

const LEFT: f64 = 250.0;
const WIDTH: f64 = 860.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 70.0;
const BAR: f64 = 11.0;
const GAP: f64 = 9.0;

impl Bars {
    /// Draws it.
    pub fn svg(&self) -> String {
        let row = BAR * self.series.len() as f64 + GAP;
        let bottom = TOP + row * self.bars.len() as f64;
        let mut svg = Svg::new(WIDTH, bottom + 50.0);
        svg.text("title", (16.0, 26.0), Anchor::Start, &self.title);
        svg.legend((16.0, 50.0), &self.series);
        let most = self.bars.iter().flat_map(|bar| &bar.values).flatten().map(|value| value.high).fold(0.0, f64::max);
        let ticks = ticks(most);
        let end = ticks.last().copied().unwrap_or(1.0);
        let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value / end;
        for tick in ticks {
            svg.line("grid", (x(tick), TOP - 4.0), (x(tick), bottom));
            svg.text("small", (x(tick), bottom + 16.0), Anchor::Middle, &figure_of_tick(tick));
        }
        svg.text("small", (x(end / 2.0), bottom + 36.0), Anchor::Middle, &self.unit);
        for (number, bar) in self.bars.iter().enumerate() {
            let top = TOP + row * number as f64;
            svg.text("", (LEFT - 10.0, top + (row - GAP) / 2.0 + 5.0), Anchor::End, &bar.label);
            for (series, value) in bar.values.iter().enumerate() {
                let Some(value) = value else { continue };
                self.bar(&mut svg, series, top + BAR * series as f64, *value, x);
            }
        }
        svg.finish()
    }

    fn bar(&self, svg: &mut Svg, series: usize, top: f64, value: Value, x: impl Fn(f64) -> f64) {
        let Value { low, median, high } = value;
        let tip = format!("{} {}, quartiles {} to {}", figure(median), self.unit, figure(low), figure(high));
        svg.rectangle(&class(series), (x(0.0), top), (x(median) - x(0.0), BAR - 2.0), &tip);
        let middle = top + (BAR - 2.0) / 2.0;
        svg.line("whisker", (x(low), middle), (x(high), middle));
        svg.text("small", (x(high) + 6.0, middle + 4.0), Anchor::Start, &figure(median));
    }
}

/// A figure without trailing zeros.
pub fn figure_of_tick(tick: f64) -> String {
    let text = format!("{tick:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
