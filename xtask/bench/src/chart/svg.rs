//! The part of SVG that the charts need, readable on light and dark backgrounds.

use std::fmt::Write as _;

/// An unfinished picture; lengths are in pixels.
#[derive(Debug)]
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Which point of a text its position is.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Colours that colour-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008), and greys. An
/// embedded picture follows the reader's colour scheme by itself.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:16px;font-weight:600}.small{font-size:12px;fill:#57606a}\
.ground{fill:#fff}.grid{stroke:#d0d7de}.whisker{stroke:#24292f;stroke-width:1.5}\
.s0{fill:#0072b2;stroke:#0072b2}.s1{fill:#e69f00;stroke:#e69f00}.curve{fill:none;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.ground{fill:#0d1117}.grid{stroke:#3d444d}\
.whisker{stroke:#e6edf3}.s0{fill:#56b4e9;stroke:#56b4e9}.curve{fill:none}}";

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        let mut svg = Self { body: String::new(), width, height };
        svg.rectangle("ground", (0.0, 0.0), (width, height), "");
        svg
    }

    pub fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    /// A browser shows the tip under the mouse.
    pub fn rectangle(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), tip: &str) {
        let tip = escape(tip);
        self.push(format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{tip}</title></rect>"
        ));
    }

    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"));
    }

    pub fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(format!("<polyline class=\"curve {class}\" style=\"fill:none\" points=\"{}\"/>", points.join(" ")));
    }

    pub fn dot(&mut self, class: &str, (x, y): (f64, f64), tip: &str) {
        let tip = escape(tip);
        self.push(format!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{tip}</title></circle>"
        ));
    }

    /// A square for each series and its name, from left to right.
    pub fn legend(&mut self, (mut x, y): (f64, f64), names: &[String]) {
        const ADVANCE: f64 = 7.5;
        for (index, name) in names.iter().enumerate() {
            self.rectangle(&class(index), (x, y - 10.0), (11.0, 11.0), "");
            self.text("small", (x + 17.0, y), Anchor::Start, name);
            x += 40.0 + ADVANCE * name.chars().count() as f64;
        }
    }

    fn push(&mut self, element: String) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// The class of a series.
pub fn class(series: usize) -> String {
    format!("s{}", series % 2)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Round numbers from 0 to just beyond `most`, about five of them.
pub fn ticks(most: f64) -> Vec<f64> {
    if most.is_nan() || most <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = most / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * magnitude).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let count = (most / step).ceil() as u32;
    (0..=count).map(|number| f64::from(number) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_beyond() {
        assert_eq!(ticks(152.0), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.0), [0.0, 1.0]);
    }

    #[test]
    fn names_are_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("small", (0.0, 0.0), Anchor::Start, "a<b> & \"c\"");
        assert!(svg.finish().contains("a&lt;b> &amp; &quot;c&quot;"));
    }
}
