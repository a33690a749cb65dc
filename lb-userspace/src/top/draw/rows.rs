//! The rows of the tables.

use std::time::Duration;

use lb_common::outcome::{Group, Outcome};
use ratatui::{
    layout::Constraint,
    style::Style as Paint,
    text::Line,
    widgets::{Cell, Row},
};

use super::super::{
    model::{History, Model},
    text::Style,
};
use crate::{
    config::standing::Standing,
    observe::{Reading, status::short_state},
    output::{Rate, scaled},
};

/// The widths of columns.
pub struct Columns {
    name: u16,
    bar: u16,
    history: u16,
}

/// `up`, packets, bytes, and `max/mean` or the share, with a space before each.
const NUMBERS: [u16; 4] = [11, 9, 9, 8];

impl Columns {
    /// For a terminal of this width, and names of this length.
    pub fn new(width: u16, longest: usize) -> Self {
        let numbers: u16 = NUMBERS.iter().map(|width| width + 1).sum();
        let rest = width.saturating_sub(numbers + 2);
        // Whole names come first; bars and history share the rest.
        let name =
            u16::try_from(longest).unwrap_or(u16::MAX).max(rest * 2 / 5).clamp(10, rest.saturating_sub(10).max(10));
        let bar = (rest.saturating_sub(name) / 2).clamp(4, 40);
        Self { name, bar, history: rest.saturating_sub(name + bar).max(4) }
    }

    /// For services or servers.
    pub fn widths(&self) -> [Constraint; 7] {
        let [up, packets, bytes, share] = NUMBERS;
        [self.name, up, packets, bytes, share, self.bar, self.history].map(Constraint::Length)
    }

    /// The titles above services.
    pub fn service_titles(&self) -> [String; 7] {
        ["service", "         up", "packets/s", "  bytes/s", "max/mean", "busiest", "history"].map(str::to_owned)
    }

    /// The titles above servers.
    pub fn server_titles(&self, service: &str) -> [String; 7] {
        [&format!("server of {service}"), "state", "packets/s", "  bytes/s", "   share", "busiest", "history"]
            .map(|title| title.to_owned())
    }
}

/// The row of an outcome.
pub fn outcome_row<'a>(model: &Model, outcome: Outcome, width: u16, style: Style) -> Row<'a> {
    let rate = model.sampler.rates().map(|rates| rates.outcome(outcome));
    let dropped = outcome.group() == Group::Dropped;
    let paint = if dropped && rate.is_some_and(|rate| rate.packets > 0.0) { style.bad() } else { Paint::new() };
    let [packets, bytes] = of_rate(rate);
    Row::new([
        Cell::from(outcome.name()).style(paint),
        right(packets),
        right(bytes),
        Cell::from(style.sparkline(model.outcome(outcome), usize::from(width))).style(style.good()),
    ])
}

/// The rows of services.
pub fn service_rows<'a>(
    model: &Model,
    reading: &Reading,
    numbers: &[usize],
    columns: &Columns,
    style: Style,
) -> Vec<Row<'a>> {
    let rates = model.sampler.rates();
    let of = |number: usize| rates.and_then(|rates| rates.services.get(number));
    let most =
        rates.map_or(0.0, |rates| rates.services.iter().fold(0.0, |most: f64, rates| most.max(rates.total.packets)));
    let row = |&number: &usize| {
        let service = &reading.status.services[number];
        let (up, all) = service.up();
        let paint = match up {
            0 => style.bad(),
            up if up < all => style.warning(),
            _ => style.good(),
        };
        let rate = of(number).map(|rates| rates.total);
        let imbalance = of(number).and_then(|rates| rates.imbalance(&service.servers));
        let [packets, bytes] = of_rate(rate);
        Row::new([
            Cell::from(service.name.clone()),
            right(format!("{up}/{all}")).style(paint),
            right(packets),
            right(bytes),
            right(imbalance.map_or_else(|| "-".to_owned(), |imbalance| format!("{imbalance:.2}"))),
            bar(rate, most, columns, style),
            history(model.service(&service.name), columns, style),
        ])
    };
    numbers.iter().map(row).collect()
}

/// The rows of a service's servers.
pub fn server_rows<'a>(
    model: &Model,
    reading: &Reading,
    service: usize,
    numbers: &[usize],
    columns: &Columns,
    style: Style,
) -> Vec<Row<'a>> {
    let servers = &reading.status.services[service].servers;
    let rates = model.sampler.rates().and_then(|rates| rates.services.get(service));
    let of = |number: usize| rates.and_then(|rates| rates.servers.get(number)).copied();
    let (most, sum) = rates.map_or((0.0, 0.0), |rates| {
        rates.servers.iter().fold((0.0_f64, 0.0), |(most, sum), rate| (most.max(rate.packets), sum + rate.packets))
    });
    let row = |&number: &usize| {
        let server = &servers[number];
        let paint = match server.state {
            Standing::Up | Standing::Kept(_) => style.good(),
            Standing::Former => style.warning(),
            Standing::Down { .. } | Standing::Failing(_) | Standing::Unresolved(_) => style.bad(),
        };
        let rate = of(number);
        let share = rate.filter(|_| sum > 0.0).map(|rate| 100.0 * rate.packets / sum);
        let [packets, bytes] = of_rate(rate);
        Row::new([
            Cell::from(server.address.to_string()),
            Cell::from(short_state(server)).style(paint),
            right(packets),
            right(bytes),
            right(share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1}%"))),
            bar(rate, most, columns, style),
            history(model.server(server.address), columns, style),
        ])
    };
    numbers.iter().map(row).collect()
}

fn of_rate(rate: Option<Rate>) -> [String; 2] {
    rate.map_or_else(|| ["-".to_owned(), "-".to_owned()], |rate| [rate.packets, rate.bytes].map(scaled))
}

fn right<'a>(text: String) -> Cell<'a> {
    Cell::from(Line::from(text).right_aligned())
}

fn bar<'a>(rate: Option<Rate>, most: f64, columns: &Columns, style: Style) -> Cell<'a> {
    let share = rate.map_or(0.0, |rate| rate.packets / most);
    Cell::from(style.bar(share, usize::from(columns.bar))).style(style.bar_paint())
}

fn history<'a>(history: Option<&History>, columns: &Columns, style: Style) -> Cell<'a> {
    let text = history.map_or_else(String::new, |history| style.sparkline(history, usize::from(columns.history)));
    Cell::from(text).style(style.good())
}

/// Like `12 s`, `3 min`, `2 h`.
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_999 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
