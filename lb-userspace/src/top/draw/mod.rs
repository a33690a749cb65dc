//! The model → the screen.

use lb_common::outcome::Outcome;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style as Paint},
    text::{Line, Span},
    widgets::{Clear, Paragraph, Row, Table, Wrap},
};

use self::rows::{Columns, outcome_row, server_rows, service_rows};
use super::{
    model::{Model, Screen},
    text::Style,
};
use crate::{
    observe::{Reading, agent_view::Level},
    output::{Activity, StatusView},
};

mod rows;

const KEYS: [(&str, &str); 10] = [
    ("q, Ctrl-C", "leave"),
    ("up down PgUp PgDn Home End", "select a row (also j k g G)"),
    ("Enter, Tab", "open the service, and back"),
    ("s", "order: configured, name, traffic,"),
    ("", "imbalance, down"),
    ("/", "filter by name, address or state"),
    ("space", "pause, and continue"),
    ("Esc", "clear the filter; go back"),
    ("?", "these keys; any key closes this"),
    ("max/mean", "busiest server over the mean; 1 is even"),
];

/// Draws everything.
pub fn all(frame: &mut Frame<'_>, model: &mut Model, style: Style) {
    let area = frame.area();
    let [title, body, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    frame.render_widget(title_line(model, style), title);
    frame.render_widget(bottom_line(model, style), keys);
    match model.sampler.now().cloned() {
        Some(reading) => running(frame, model, &reading, style, body),
        None => gone(frame, model, style, body),
    }
    if model.help {
        help(frame, area);
    }
}

fn title_line<'a>(model: &'a Model, style: Style) -> Line<'a> {
    let bold = Paint::new().add_modifier(Modifier::BOLD);
    let mut line = Line::from(vec![Span::styled("modlb ", bold), Span::raw(&*model.instance)]);
    if let Some(reading) = model.sampler.now() {
        let StatusView { role, state, digest, .. } = &reading.status;
        let paint = if *state == Activity::Active { style.good() } else { style.warning() };
        line.extend([Span::raw(format!("  {role}  ")), Span::styled(state.name(), paint)]);
        line.push_span(format!("  digest {digest}  every {} s", model.period.as_secs_f64()));
    }
    if model.paused() {
        line.push_span(Span::styled("  PAUSED", style.warning()));
    }
    line
}

fn bottom_line<'a>(model: &'a Model, style: Style) -> Line<'a> {
    if model.typing {
        return Line::from(format!("filter: {}_   Enter keeps it, Esc clears it", model.filter));
    }
    let back = if model.screen == Screen::Services { "Enter open" } else { "Enter back" };
    let text = format!("q leave  ? help  s order: {}  / filter  space pause  {back}", model.order.name());
    let mut line = Line::from(Span::styled(text, style.soft()));
    if !model.filter.is_empty() {
        line.push_span(Span::styled(format!("  filter: {}", model.filter), style.warning()));
    }
    line
}

fn gone(frame: &mut Frame<'_>, model: &Model, style: Style, area: Rect) {
    let error = model.sampler.error().unwrap_or("not read yet");
    let text = vec![
        Line::default(),
        Line::styled(error, style.bad()),
        Line::default(),
        Line::from("It is shown as soon as it runs."),
    ];
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), area);
}

fn running(frame: &mut Frame<'_>, model: &mut Model, reading: &Reading, style: Style, area: Rect) {
    // Outcomes that never occurred take no room.
    let happened = |outcome: &&Outcome| reading.stats.outcomes.get(**outcome).packets > 0;
    let outcomes: Vec<_> = Outcome::ALL.iter().filter(happened).copied().collect();
    let most = if area.height < 30 { 6 } else { Outcome::ALL.len() };
    let outcome_lines = outcomes.len().clamp(1, most) as u16 + 1;
    let event_lines = (area.height / 6).clamp(2, 10);
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(outcome_lines + 1), Constraint::Min(3), Constraint::Length(event_lines)])
            .areas(area);
    draw_outcomes(frame, model, &outcomes, style, top);
    draw_rows(frame, model, reading, style, middle);
    draw_events(frame, model, style, bottom);
}

fn header<'a>(titles: impl IntoIterator<Item = &'a str>) -> Row<'a> {
    Row::new(titles.into_iter().map(Line::from)).style(Paint::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED))
}

/// The widths of outcome names, packets and bytes.
const OUTCOME: u16 = 17;
const NUMBERS: [u16; 2] = [13, 9];

fn draw_outcomes(frame: &mut Frame<'_>, model: &Model, outcomes: &[Outcome], style: Style, area: Rect) {
    let history = area.width.saturating_sub(OUTCOME + NUMBERS.iter().sum::<u16>() + 3);
    let rows = outcomes.iter().map(|&outcome| outcome_row(model, outcome, history, style));
    let titles = header(["outcome", "    packets/s", "  bytes/s", "history"]);
    let [packets, bytes] = NUMBERS;
    let widths = [OUTCOME, packets, bytes, history].map(Constraint::Length);
    frame.render_widget(Table::new(rows, widths).header(titles), area);
}

fn draw_rows(frame: &mut Frame<'_>, model: &mut Model, reading: &Reading, style: Style, area: Rect) {
    let numbers = model.rows();
    let place = model.place(&numbers);
    let fitting = usize::from(area.height.saturating_sub(1)).max(1);
    model.fitting = fitting;
    // The selected row stays in the middle if possible; only visible rows are made.
    let first = place.saturating_sub(fitting / 2).min(numbers.len().saturating_sub(fitting));
    let seen = &numbers[first..numbers.len().min(first + fitting)];
    let columns = Columns::new(area.width, longest(model, reading, seen));
    let (titles, mut rows) = match &model.screen {
        Screen::Services => (columns.service_titles(), service_rows(model, reading, seen, &columns, style)),
        Screen::Service(name) => match reading.service(name) {
            Some(number) => (columns.server_titles(name), server_rows(model, reading, number, seen, &columns, style)),
            None => (columns.server_titles(name), Vec::new()),
        },
    };
    if let Some(row) = rows.get_mut(place - first.min(place)) {
        *row = row.clone().style(Paint::new().add_modifier(Modifier::REVERSED));
    }
    let nothing = rows.is_empty();
    let table = Table::new(rows, columns.widths()).header(header(titles.iter().map(|title| &**title)));
    frame.render_widget(table.column_spacing(1), area);
    if nothing {
        let text = match (&model.screen, model.filter.is_empty()) {
            (_, false) => "nothing matches the filter",
            (Screen::Services, true) => "no services are configured",
            (Screen::Service(name), true) if reading.service(name).is_some() => "the service has no servers",
            (Screen::Service(_), true) => "the service is no longer configured",
        };
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        frame.render_widget(Paragraph::new(text), below);
    }
}

/// The length of the longest name or address in these rows.
fn longest(model: &Model, reading: &Reading, rows: &[usize]) -> usize {
    let services = &reading.status.services;
    let service = match &model.screen {
        Screen::Services => {
            return rows.iter().map(|&row| services[row].name.chars().count()).max().unwrap_or_default();
        }
        Screen::Service(name) => reading.service(name),
    };
    let length = |row: &usize| service.map_or(0, |service| services[service].servers[*row].address.to_string().len());
    rows.iter().map(length).max().unwrap_or_default()
}

fn draw_events(frame: &mut Frame<'_>, model: &Model, style: Style, area: Rect) {
    let mut lines = vec![Line::styled("changes", Paint::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED))];
    let now = std::time::SystemTime::now();
    let events = model.sampler.events().iter().rev().take(usize::from(area.height.saturating_sub(1)));
    lines.extend(events.map(|event| {
        let paint = match event.level {
            Level::Info => Paint::new(),
            Level::Warning => style.warning(),
            Level::Error => style.bad(),
        };
        let ago = now.duration_since(event.at).unwrap_or_default();
        Line::from(vec![Span::raw(format!("{:>7} ago  ", rows::age(ago))), Span::styled(&*event.text, paint)])
    }));
    if lines.len() == 1 {
        lines.push(Line::styled("none yet", style.soft()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let width = area.width.min(72);
    let height = area.height.min(KEYS.len() as u16 + 2);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let block = ratatui::widgets::Block::bordered().title(" modlb top: keys ");
    let rows = KEYS.map(|(key, what)| Line::from(format!(" {key:<27}{what}")));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(rows.to_vec()).block(block), place);
}
