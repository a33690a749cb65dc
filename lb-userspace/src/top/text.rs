//! Bars and sparklines as text, and the terminal's abilities.

use std::{collections::VecDeque, env};

use ratatui::style::{Color, Modifier, Style as Paint};

/// The terminal's abilities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    /// Colours.
    pub colour: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Style {
    /// From the environment: <https://no-color.org>, the terminal's type and the locale.
    pub fn of_environment() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let kind = variable("TERM").unwrap_or_default();
        let plain = kind.starts_with("vt") || kind.ends_with("-m") || kind.ends_with("-mono");
        let locale = variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG"));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { colour: !plain && variable("NO_COLOR").is_none(), unicode: !plain && utf8 }
    }

    /// Something good.
    pub fn good(self) -> Paint {
        self.colour(Color::Green)
    }

    /// Something that needs attention; visible even without colours.
    pub fn warning(self) -> Paint {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// Something bad; visible even without colours.
    pub fn bad(self) -> Paint {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A bar.
    pub fn bar_paint(self) -> Paint {
        self.colour(Color::Blue)
    }

    /// Something less important.
    pub fn soft(self) -> Paint {
        if self.colour { Paint::new().fg(Color::DarkGray) } else { Paint::new() }
    }

    fn colour(self, colour: Color) -> Paint {
        if self.colour { Paint::new().fg(colour) } else { Paint::new() }
    }

    /// A bar of `share` of the width, at most all of it.
    pub fn bar(self, share: f64, width: usize) -> String {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        if !self.unicode {
            return "#".repeat((share * width as f64).round() as usize);
        }
        let eighths = (share * width as f64 * 8.0).round() as usize;
        "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
    }

    /// The latest values that fit the width, relative to the largest; the newest is on the right.
    pub fn sparkline(self, values: &VecDeque<f64>, width: usize) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const ASCII: [char; 8] = ['_', '.', '-', ':', '=', '+', '*', '#'];
        let shown = values.iter().skip(values.len().saturating_sub(width));
        let most = shown.clone().fold(0.0_f64, |most, value| most.max(*value));
        let levels = if self.unicode { BLOCKS } else { ASCII };
        let line: String = shown
            .map(|value| match value / most {
                share if share > 0.0 => levels[(share * 8.0).ceil().clamp(1.0, 8.0) as usize - 1],
                _ => ' ',
            })
            .collect();
        format!("{line:>width$}")
    }
}
