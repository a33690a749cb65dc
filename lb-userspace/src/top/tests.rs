use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

use super::{
    draw,
    model::{Model, Next, Screen},
    text::Style,
};
use crate::{
    config::model::State::{self, Down, Up},
    observe::{
        list::Order,
        testing::{ServiceSpec, reading},
    },
};

const PLAIN: Style = Style { colour: false, unicode: false };
const FULL: Style = Style { colour: true, unicode: true };

/// Three readings a second apart; `web` has twice the packets of `dns`, its first server thrice those of its second.
fn model() -> Model {
    let start = Instant::now();
    let mut model = Model::new("default", Duration::from_secs(1));
    for second in 0..3 {
        let web = [(Up, 1, second * 3_000), (Up, 1, second * 1_000), (Down, 1, 0)];
        let services: [ServiceSpec<'_>; 3] =
            [("dns", &[(Up, 1, second * 2_000)]), ("web", &web), ("idle", &[(Down, 1, 0)])];
        model.take(Ok(reading(start, second, &services)));
    }
    model
}

fn press(model: &mut Model, code: KeyCode) -> Next {
    model.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_in(model: &mut Model, text: &str) {
    for letter in text.chars() {
        press(model, KeyCode::Char(letter));
    }
}

/// What is on a screen of this size, line by line.
fn screen(model: &mut Model, style: Style, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::all(frame, model, style)).unwrap();
    let buffer = terminal.backend().buffer();
    if !style.colour {
        let coloured = buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert!(!coloured, "there are colours");
    }
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content().chunks(usize::from(width)).map(|cells| line(cells).trim_end().to_owned()).collect()
}

fn row<'a>(screen: &'a [String], start: &str) -> &'a str {
    screen.iter().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {screen:#?}"))
}

/// The words of a row.
fn words<'a>(screen: &'a [String], start: &str) -> Vec<&'a str> {
    row(screen, start).split_whitespace().collect()
}

#[test]
fn a_small_terminal_shows_all_without_colours() {
    let screen = screen(&mut model(), PLAIN, (80, 24));
    assert_eq!(screen[0], "modlb default  balancer  active  digest 0123456789abcdef  every 1 s");
    assert_eq!(words(&screen, "forwarded")[..3], ["forwarded", "6.00k", "600k"]);
    assert_eq!(words(&screen, "web")[..6], ["web", "2/3", "4.00k", "400k", "1.50", "###########"]);
    assert_eq!(words(&screen, "dns")[..5], ["dns", "1/1", "2.00k", "200k", "1.00"]);
    assert_eq!(words(&screen, "idle"), ["idle", "0/1", "0", "0", "-"]);
    assert!(row(&screen, "q leave").contains("s order: traffic"));
    assert!(screen.iter().all(|line| line.is_ascii()), "{screen:#?}");
    assert!(!screen.iter().any(|line| line.contains("not_ip")), "what never happened takes no room");
}

#[test]
fn every_terminal_size_can_be_drawn() {
    let mut model = model();
    for size in [(1, 1), (20, 5), (40, 10), (80, 24), (200, 50), (500, 200)] {
        for key in [KeyCode::Char('?'), KeyCode::Esc, KeyCode::Enter, KeyCode::Enter] {
            press(&mut model, key);
            screen(&mut model, FULL, size);
        }
    }
}

#[test]
fn enter_opens_a_service_and_tab_returns() {
    let mut model = model();
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.screen, Screen::Service("web".into()), "the busiest is selected first");
    let shown = screen(&mut model, FULL, (100, 30));
    assert_eq!(words(&shown, "10.0.0.11")[1..5], ["up", "3.00k", "300k", "75.0%"]);
    assert_eq!(words(&shown, "10.0.0.13")[1], "down");
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.screen, Screen::Services);
}

#[test]
fn the_selection_stays_with_its_service() {
    let mut model = model();
    press(&mut model, KeyCode::Down);
    let selected = |model: &Model| {
        let rows = model.rows();
        rows[model.place(&rows)]
    };
    assert_eq!(selected(&model), 0, "dns, the second by traffic");
    while model.order != Order::Name {
        press(&mut model, KeyCode::Char('s'));
        assert_eq!(selected(&model), 0, "{:?}", model.order);
    }
    assert_eq!(model.rows(), [0, 2, 1]);
    press(&mut model, KeyCode::End);
    assert_eq!(selected(&model), 1);
    press(&mut model, KeyCode::PageUp);
    assert_eq!(selected(&model), 2, "one row fits before the first drawing");
}

#[test]
fn keys_filter_pause_help_and_quit() {
    let mut model = model();
    type_in(&mut model, "/WEq");
    assert!(model.typing);
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!((model.rows(), model.filter.as_str()), (vec![1], "WE"));
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.rows().len(), 3);
    type_in(&mut model, "/nothing");
    assert!(screen(&mut model, PLAIN, (80, 24)).iter().any(|line| line == "nothing matches the filter"));
    press(&mut model, KeyCode::Esc);
    type_in(&mut model, " ");
    assert!(model.paused() && screen(&mut model, PLAIN, (80, 24))[0].ends_with("PAUSED"));
    type_in(&mut model, "?");
    assert!(screen(&mut model, PLAIN, (80, 24)).iter().any(|line| line.contains("modlb top: keys")));
    assert_eq!(press(&mut model, KeyCode::Char('q')), Next::Go, "it closes the help");
    assert_eq!(press(&mut model, KeyCode::Char('q')), Next::Quit);
    let control_c = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(model.event(&control_c), Next::Quit);
}

#[test]
fn the_end_and_return_of_the_instance_are_shown() {
    let mut model = model();
    model.take(Err(anyhow::anyhow!("no instance default is running")));
    let shown = screen(&mut model, PLAIN, (80, 24));
    assert!(shown.contains(&"no instance default is running".to_owned()), "{shown:#?}");
    for key in [KeyCode::Down, KeyCode::Enter, KeyCode::Char('s')] {
        assert_eq!(press(&mut model, key), Next::Go);
    }
    model.take(Ok(reading(Instant::now(), 0, &[("web", &[(Up, 1, 0)])])));
    let shown = screen(&mut model, PLAIN, (80, 24));
    assert!(shown.iter().any(|line| line.ends_with("the instance is there")), "{shown:#?}");
}

#[test]
fn a_thousand_services_are_drawn_a_screen_at_a_time() {
    let names: Vec<_> = (0..1_000).map(|number| format!("s{number:04}")).collect();
    let servers: Vec<(State, u32, u64)> = vec![(Up, 1, 0); 100];
    let services: Vec<ServiceSpec<'_>> = names.iter().map(|name| (name.as_str(), &servers[..])).collect();
    let mut model = Model::new("default", Duration::from_secs(1));
    model.take(Ok(reading(Instant::now(), 0, &services)));
    press(&mut model, KeyCode::End);
    let shown = screen(&mut model, PLAIN, (80, 24));
    assert!(row(&shown, "s0999").contains("100/100"));
    press(&mut model, KeyCode::PageUp);
    assert!(screen(&mut model, PLAIN, (80, 24)).iter().filter(|line| line.starts_with("s0")).count() > 5);
}

#[test]
fn long_names_are_shown_whole_if_they_fit() {
    let mut model = Model::new("default", Duration::from_secs(1));
    let name = "a-service-of-thirty-letters-xx";
    model.take(Ok(reading(Instant::now(), 0, &[(name, &[(Up, 1, 0)])])));
    assert!(row(&screen(&mut model, PLAIN, (84, 24)), "a-service").starts_with(&format!("{name} ")));
}

#[test]
fn bars_and_sparklines_are_drawn() {
    assert_eq!([0.0, 0.5, 1.0, 7.0, f64::NAN].map(|share| PLAIN.bar(share, 4)), ["", "##", "####", "####", ""]);
    assert_eq!(FULL.bar(0.53, 4), "██▏");
    let values = VecDeque::from([9.0, 0.0, 1.0, 8.0]);
    assert_eq!(FULL.sparkline(&values, 3), " ▁█");
    assert_eq!(PLAIN.sparkline(&values, 6), "  # _#");
    assert_eq!(FULL.sparkline(&VecDeque::new(), 2), "  ");
}
