//! Allocates counters to servers.
//!
//! A server keeps its counter for as long as it is configured. Traps: programs that still use the previous half go on
//! counting for former servers, and a command may be killed before it publishes. So a counter that the active half
//! names, for a server or as draining, is not reused or zeroed by the next publication, only by the one after.

use std::{collections::HashMap, net::IpAddr};

use lb_common::{limits::COUNTER_WINDOW, record::DrainingRecord, table::Counter};

use crate::datapath::{
    error::{Error, Result},
    store::snapshot::Snapshot,
};

/// The counters of a new half, service by service.
#[derive(Debug)]
pub struct Ledger<'a> {
    have: &'a Snapshot,
    windows: Vec<Window>,
    used: Vec<bool>,
    kept: HashMap<(&'a str, IpAddr), u32>,
    /// The window of each service, by name.
    homes: HashMap<&'a str, u32>,
    /// Counters that have to be zero before they are published.
    pub fresh: Vec<u32>,
}

/// A range of counters that slots can name relative to its start.
#[derive(Debug)]
struct Window {
    start: u32,
    end: u32,
    free: u32,
    /// All counters before this one are in use.
    next: u32,
}

/// The counters of one service.
#[derive(Debug)]
pub struct Account {
    /// The lowest of them, to which slots' counters are relative; without servers, the start of the window.
    pub first: u32,
    /// A counter for each server, in the servers' order.
    pub counters: Vec<u32>,
}

/// What former servers and services leave behind.
#[derive(Debug)]
pub struct Remains {
    /// Counters that may still grow.
    pub draining: Vec<DrainingRecord>,
    /// The total of each service's former servers, in the order of the new services.
    pub services: Vec<Counter>,
    /// The total of former services.
    pub former: Counter,
}

impl<'a> Ledger<'a> {
    /// A ledger of `capacity` counters, in which those that the active half names are in use.
    pub fn new(have: &'a Snapshot, capacity: u32) -> Self {
        let windows = (0..capacity).step_by(COUNTER_WINDOW as usize).map(|start| {
            let end = capacity.min(start.saturating_add(COUNTER_WINDOW));
            Window { start, end, free: end - start, next: start }
        });
        let used = vec![false; capacity as usize];
        let names = have.config.services.iter().map(|service| service.name.as_str());
        let homes = names.zip(have.services.iter().map(|record| record.first_counter / COUNTER_WINDOW)).collect();
        let (windows, kept, fresh) = (windows.collect(), have.counters(), Vec::new());
        let mut ledger = Self { have, windows, used, kept, homes, fresh };
        let named = have.servers.iter().map(|server| server.counter);
        for counter in named.chain(have.draining.iter().map(|draining| draining.counter)) {
            ledger.mark_used(counter);
        }
        ledger
    }

    /// Counters for the servers of a service: those that they have, and new ones for the rest.
    ///
    /// # Errors
    ///
    /// [`Error::Capacity`]: no window has room. That takes services with tens of thousands of servers.
    pub fn account(&mut self, service: &'a str, servers: &[IpAddr]) -> Result<Account> {
        let kept: Vec<_> = servers.iter().map(|server| self.kept.get(&(service, *server)).copied()).collect();
        let missing = kept.iter().filter(|counter| counter.is_none()).count() as u32;
        let home = self.homes.get(service).copied();
        if let Some(home) = home.filter(|home| self.windows[*home as usize].free >= missing) {
            return Ok(self.fill(home as usize, kept));
        }
        let needed = servers.len() as u32;
        let window = self.windows.iter().position(|window| window.free >= needed);
        let window = window.ok_or_else(|| Error::Capacity {
            what: "counters for the servers of one service",
            needed: needed.into(),
            capacity: self.windows.iter().map(|window| window.free).max().unwrap_or_default().into(),
            option: "--max-servers",
        })?;
        // The whole service moves to another window. What its servers counted stays in the service's total.
        for server in servers {
            self.kept.remove(&(service, *server));
        }
        Ok(self.fill(window, vec![None; servers.len()]))
    }

    fn fill(&mut self, window: usize, kept: Vec<Option<u32>>) -> Account {
        let counters: Vec<_> =
            kept.into_iter().map(|counter| counter.unwrap_or_else(|| self.allocate(window))).collect();
        Account { first: counters.iter().copied().min().unwrap_or(self.windows[window].start), counters }
    }

    fn allocate(&mut self, window: usize) -> u32 {
        let Window { end, next, .. } = self.windows[window];
        let counter = (next..end).find(|counter| !self.used[*counter as usize]).unwrap_or(next);
        self.windows[window].next = counter;
        self.mark_used(counter);
        self.fresh.push(counter);
        counter
    }

    fn mark_used(&mut self, counter: u32) {
        if !std::mem::replace(&mut self.used[counter as usize], true) {
            self.windows[(counter / COUNTER_WINDOW) as usize].free -= 1;
        }
    }

    /// What is left behind, once every service has its account. `settled` are the final values of the active half's
    /// draining counters.
    pub fn close(&self, services: &[(&str, &[IpAddr])], settled: &[Counter]) -> Remains {
        let now: HashMap<&str, u32> = services.iter().zip(0..).map(|((name, _), index)| (*name, index)).collect();
        let mut remains = Remains {
            draining: Vec::new(),
            services: vec![Counter::default(); now.len()],
            former: self.have.record.former,
        };
        for (record, service) in self.have.services.iter().zip(&self.have.config.services) {
            remains.add(now.get(service.name.as_str()).copied(), record.former);
        }
        for (draining, value) in self.have.draining.iter().zip(settled) {
            let name = self.have.config.services.get(draining.service as usize).map(|service| service.name.as_str());
            remains.add(name.and_then(|name| now.get(name)).copied(), *value);
        }
        let mut stays = self.stays(services);
        for (name, server, counter) in self.have.counted() {
            if stays.remove(&(name, server)).is_none() {
                let service = now.get(name).copied().unwrap_or(DrainingRecord::NO_SERVICE);
                remains.draining.push(DrainingRecord { counter, service });
            }
        }
        remains
    }

    /// The servers that keep their counter.
    fn stays<'b>(&'b self, services: &[(&'b str, &'b [IpAddr])]) -> HashMap<(&'b str, IpAddr), ()> {
        let all = services.iter().flat_map(|(name, servers)| servers.iter().map(move |server| (*name, *server)));
        all.filter(|server| self.kept.contains_key(server)).map(|server| (server, ())).collect()
    }
}

impl Remains {
    /// Adds to a service, or to the total of former services.
    fn add(&mut self, service: Option<u32>, value: Counter) {
        match service {
            Some(index) => self.services[index as usize] += value,
            None => self.former += value,
        }
    }
}
