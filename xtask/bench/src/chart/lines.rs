//! Curves over numbers, on a logarithmic axis if they span a factor of more than a hundred, else on a linear one.

use super::{
    bars::figure_of_tick,
    svg::{Anchor, Svg, class, ticks},
    value::Value,
};
use crate::report::figure;

/// The chart.
#[derive(Debug)]
pub struct Lines {
    pub title: String,
    /// The label of the horizontal axis.
    pub x: String,
    pub unit: String,
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Debug)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, Value)>,
}

const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 75.0;
const BOTTOM: f64 = 60.0;

/// Beyond this factor a linear axis would crowd most points together.
const WIDE: f64 = 100.0;

impl Lines {
    /// Draws it.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        svg.text("title", (16.0, 26.0), Anchor::Start, &self.title);
        let names: Vec<_> = self.curves.iter().map(|curve| curve.name.clone()).collect();
        svg.legend((LEFT, 50.0), &names);
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let ticks = ticks(points().map(|(_, value)| value.high).fold(0.0, f64::max));
        let end = ticks.last().copied().unwrap_or(1.0);
        let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / end;
        for tick in &ticks {
            svg.line("grid", (LEFT, y(*tick)), (WIDTH - RIGHT, y(*tick)));
            svg.text("small", (LEFT - 8.0, y(*tick) + 4.0), Anchor::End, &figure_of_tick(*tick));
        }
        svg.text("small", (LEFT - 8.0, TOP - 12.0), Anchor::End, &self.unit);

        let mut places: Vec<f64> = points().map(|(x, _)| *x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let x = scale(&places);
        for place in &places {
            svg.text("small", (x(*place), HEIGHT - BOTTOM + 18.0), Anchor::Middle, &thousands(*place));
        }
        svg.text("small", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - BOTTOM + 42.0), Anchor::Middle, &self.x);
        for (series, curve) in self.curves.iter().enumerate() {
            let line: Vec<_> = curve.points.iter().map(|(place, value)| (x(*place), y(value.median))).collect();
            svg.curve(&class(series), &line);
            for ((place, value), at) in curve.points.iter().zip(line) {
                let Value { low, median, high } = *value;
                svg.line("whisker", (at.0, y(low)), (at.0, y(high)));
                let tip = format!(
                    "{}: {} {}, quartiles {} to {}",
                    thousands(*place),
                    figure(median),
                    self.unit,
                    figure(low),
                    figure(high)
                );
                svg.dot(&class(series), at, &tip);
            }
        }
        svg.finish()
    }
}

/// The position of each value.
fn scale(places: &[f64]) -> impl Fn(f64) -> f64 + use<> {
    let (least, most) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(1.0));
    let logarithmic = least > 0.0 && most / least >= WIDE;
    let of = move |place: f64| if logarithmic { place.log2() } else { place };
    let (from, to) = (of(least), of(most));
    let span = if to > from { to - from } else { 1.0 };
    move |place| LEFT + 20.0 + (WIDTH - LEFT - RIGHT - 40.0) * (of(place) - from) / span
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
