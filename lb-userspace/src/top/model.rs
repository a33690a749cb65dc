//! What `modlb top` shows, and what keys do: independent of the terminal, except for key codes.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use lb_common::outcome::Outcome;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::observe::{
    Reading, Sampler,
    list::{self, Order},
};

/// How many rates are kept for sparklines.
const HISTORY: usize = 200;

/// Packets per second, the newest last.
pub type History = VecDeque<f64>;

/// What to do after an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Continue.
    Go,
    /// Quit.
    Quit,
}

/// What is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Screen {
    /// All services.
    Services,
    /// The servers of this one.
    Service(String),
}

/// The state of the display.
#[derive(Debug)]
pub struct Model {
    pub instance: String,
    pub period: Duration,
    pub sampler: Sampler,
    pub screen: Screen,
    pub help: bool,
    pub order: Order,
    /// As it was typed.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: bool,
    paused: bool,
    /// The selected row's name or address, of each screen.
    selected: [Option<String>; 2],
    /// How many rows fitted at the last drawing.
    pub fitting: usize,
    outcomes: Vec<History>,
    services: HashMap<String, History>,
    servers: HashMap<IpAddr, History>,
}

impl Model {
    /// For an instance that has not been read yet.
    pub fn new(instance: &str, period: Duration) -> Self {
        Self {
            instance: instance.to_owned(),
            period,
            sampler: Sampler::default(),
            screen: Screen::Services,
            help: false,
            order: Order::Traffic,
            filter: String::new(),
            typing: false,
            paused: false,
            selected: [None, None],
            fitting: 1,
            outcomes: vec![History::new(); Outcome::ALL.len()],
            services: HashMap::new(),
            servers: HashMap::new(),
        }
    }

    /// Whether reading is paused.
    pub const fn paused(&self) -> bool {
        self.paused
    }

    /// Adds the result of reading the instance.
    pub fn take(&mut self, result: anyhow::Result<Reading>) {
        self.sampler.take(result);
        let (Some(reading), Some(rates)) = (self.sampler.now(), self.sampler.rates()) else { return };
        for (history, &outcome) in self.outcomes.iter_mut().zip(Outcome::ALL) {
            push(history, rates.outcome(outcome).packets);
        }
        let named = reading.status.services.iter().zip(&rates.services);
        // The histories of removed services are dropped.
        let mut before = std::mem::take(&mut self.services);
        for (service, rates) in named.clone() {
            let mut history = before.remove(&service.name).unwrap_or_default();
            push(&mut history, rates.total.packets);
            self.services.insert(service.name.clone(), history);
        }
        let Screen::Service(name) = &self.screen else { return };
        let mut before = std::mem::take(&mut self.servers);
        for (service, rates) in named.filter(|(service, _)| service.name == *name) {
            for (server, rate) in service.servers.iter().zip(&rates.servers) {
                let mut history = before.remove(&server.address).unwrap_or_default();
                push(&mut history, rate.packets);
                self.servers.insert(server.address, history);
            }
        }
    }

    /// The history of an outcome.
    pub fn outcome(&self, outcome: Outcome) -> &History {
        &self.outcomes[outcome.index() as usize]
    }

    /// The history of a service.
    pub fn service(&self, name: &str) -> Option<&History> {
        self.services.get(name)
    }

    /// The history of a server of the shown service.
    pub fn server(&self, address: IpAddr) -> Option<&History> {
        self.servers.get(&address)
    }

    /// The rows of the screen: indices of services, or of the shown service's servers.
    pub fn rows(&self) -> Vec<usize> {
        let Some(reading) = self.sampler.now() else { return Vec::new() };
        let rates = self.sampler.rates().map(AsRef::as_ref);
        let filter = self.filter.to_lowercase();
        match &self.screen {
            Screen::Services => list::services(reading, rates, &filter, self.order),
            Screen::Service(name) => reading.service(name).map_or_else(Vec::new, |number| {
                let rates = rates.and_then(|rates| rates.services.get(number));
                list::servers(&reading.status.services[number], rates, &filter, self.order)
            }),
        }
    }

    /// The name or address of a row.
    fn key_of(&self, row: usize) -> Option<String> {
        let services = &self.sampler.now()?.status.services;
        match &self.screen {
            Screen::Services => services.get(row).map(|service| service.name.clone()),
            Screen::Service(name) => {
                let service = services.iter().find(|service| service.name == *name)?;
                service.servers.get(row).map(|server| server.address.to_string())
            }
        }
    }

    /// The index of the selected row, or 0 if it is gone.
    pub fn place(&self, rows: &[usize]) -> usize {
        let selected = &self.selected[self.level()];
        let place = rows.iter().position(|&row| selected.is_some() && self.key_of(row) == *selected);
        place.unwrap_or_default()
    }

    fn level(&self) -> usize {
        usize::from(self.screen != Screen::Services)
    }

    /// Handles an event.
    pub fn event(&mut self, event: &Event) -> Next {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Key(_)
            | Event::FocusGained
            | Event::FocusLost
            | Event::Mouse(_)
            | Event::Paste(_)
            | Event::Resize(..) => Next::Go,
        }
    }

    fn key(&mut self, key: &KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { Next::Quit } else { Next::Go };
        }
        if self.help {
            self.help = false;
        } else if self.typing {
            self.type_filter(key.code);
        } else if key.code == KeyCode::Char('q') {
            return Next::Quit;
        } else {
            self.command(key.code);
        }
        Next::Go
    }

    fn type_filter(&mut self, code: KeyCode) {
        if let KeyCode::Char(letter) = code {
            self.filter.push(letter);
        } else if code == KeyCode::Backspace {
            self.filter.pop();
        } else if code == KeyCode::Enter {
            self.typing = false;
        } else if code == KeyCode::Esc {
            self.typing = false;
            self.filter.clear();
        }
    }

    fn command(&mut self, code: KeyCode) {
        let page = self.fitting.max(1) as isize;
        #[allow(clippy::wildcard_enum_match_arm, reason = "the keys are crossterm's, not ours")]
        match code {
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.order = self.order.next(),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Enter | KeyCode::Tab => self.go_in_or_out(),
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => self.go_out(),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-page),
            KeyCode::PageDown => self.step(page),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX / 2),
            _ => {}
        }
    }

    fn step(&mut self, by: isize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1) as isize;
        let place = (self.place(&rows) as isize + by).clamp(0, last) as usize;
        let key = rows.get(place).and_then(|&row| self.key_of(row));
        let level = self.level();
        self.selected[level] = key;
    }

    fn go_in_or_out(&mut self) {
        if self.screen != Screen::Services {
            return self.go_out();
        }
        let rows = self.rows();
        if let Some(name) = rows.get(self.place(&rows)).and_then(|&row| self.key_of(row)) {
            self.selected = [Some(name.clone()), None];
            self.servers.clear();
            // The filter has served to find the service.
            self.filter.clear();
            self.screen = Screen::Service(name);
        }
    }

    fn go_out(&mut self) {
        self.screen = Screen::Services;
        self.servers.clear();
    }
}

fn push(history: &mut History, value: f64) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back(value);
}
