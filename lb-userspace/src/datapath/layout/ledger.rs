//! Allocates counters to servers.
//!
//! The counters of a service are one block, in the order of its servers, so that services with the same servers have
//! the same slots, which are then stored once. If the list of servers changes, the service takes a new block; what its
//! servers have counted so far goes with them.
//!
//! Traps: programs that still use the previous half go on adding to former counters, and a command may be killed before
//! it publishes. So a counter that the active half names, for a server or as draining, is not reused or zeroed by the
//! next publication, only by the one after.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use lb_common::{
    limits::COUNTER_WINDOW,
    record::{DrainingRecord, ServerRecord},
    table::Counter,
};

use crate::{
    config::model::Positions,
    datapath::{
        error::{Error, Result},
        store::snapshot::Snapshot,
    },
};

/// The counters of a new half, service by service.
#[derive(Debug)]
pub struct Ledger<'a> {
    have: &'a Snapshot,
    /// Runs of free counters: length and start. None crosses a window's end.
    free: BTreeSet<(u32, u32)>,
    /// The servers of each service in force, by name, with their counters.
    had: HashMap<&'a str, Vec<(IpAddr, u32)>>,
    /// Servers keep their counters rather than move to a block.
    keeps: bool,
    /// Counters that have to be zero before they are published.
    pub fresh: Vec<u32>,
}

/// The counters of one service.
#[derive(Debug)]
pub struct Account {
    /// The lowest of them, to which slots' counters are relative; 0 without servers.
    pub first: u32,
    /// A counter for each server, in the servers' order.
    pub counters: Vec<u32>,
}

/// A service of the new half.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its servers.
    pub servers: &'a [IpAddr],
    /// Their counters.
    pub account: &'a Account,
}

/// What former counters leave behind.
#[derive(Debug)]
pub struct Remains {
    /// Counters that may still grow.
    pub draining: Vec<DrainingRecord>,
    /// What each server counted by former counters, in the order of the new services and their servers.
    pub servers: Vec<Counter>,
    /// The total of each service's former servers, in the order of the new services.
    pub services: Vec<Counter>,
    /// The total of former services.
    pub former: Counter,
}

impl<'a> Ledger<'a> {
    /// A ledger of `capacity` counters, in which those that the active half names are in use.
    pub fn new(have: &'a Snapshot, capacity: u32) -> Self {
        let mut used = vec![false; capacity as usize];
        let had = have.config.services.iter().zip(&have.services).map(|(service, record)| {
            let servers = service.servers.iter().zip(have.servers_of(record));
            let servers = servers.map(|(server, record)| (server.address, record.counter));
            (service.name.as_str(), servers.inspect(|(_, counter)| used[*counter as usize] = true).collect())
        });
        let had = had.collect();
        have.draining.iter().for_each(|draining| used[draining.counter as usize] = true);
        Self { have, free: free_runs(&used), had, keeps: false, fresh: Vec::new() }
    }

    /// Counters for the servers of all services.
    ///
    /// Where everything is full, blocks for some services may leave no room for others. Then no service moves that need
    /// not.
    ///
    /// # Errors
    ///
    /// [`Error::Capacity`]: no window has room. That takes services with tens of thousands of servers.
    pub fn accounts(&mut self, services: &[(&str, &[IpAddr])]) -> Result<Vec<Account>> {
        let (free, had) = (self.free.clone(), self.had.clone());
        let all = |ledger: &mut Self| services.iter().map(|(name, servers)| ledger.account(name, servers)).collect();
        let blocks: Result<_> = all(self);
        blocks.or_else(|_| {
            *self = Self { have: self.have, free, had, keeps: true, fresh: Vec::new() };
            all(self)
        })
    }

    /// Counters for the servers of a service: those that they have, or new ones.
    fn account(&mut self, service: &str, servers: &[IpAddr]) -> Result<Account> {
        let had = self.had.get(service).map_or(&[][..], Vec::as_slice);
        let same = had.iter().map(|(server, _)| server).eq(servers);
        let kept: HashMap<_, _> = if same { HashMap::new() } else { had.iter().copied().collect() };
        let had: Vec<_> = had.iter().map(|(_, counter)| *counter).collect();
        if same && is_block(&had) {
            return Ok(Account::of(had));
        }
        if (!self.keeps || had.is_empty())
            && let Some(block) = self.take_block(servers.len() as u32)
        {
            return Ok(Account::of(block));
        }
        // No block is free. Slots of other services will differ from these, but every server has its counter.
        if same {
            return Ok(Account::of(had));
        }
        let kept: Vec<_> = servers.iter().map(|server| kept.get(server).copied()).collect();
        let missing = kept.iter().filter(|counter| counter.is_none()).count() as u32;
        let home = kept.iter().flatten().next().map(|counter| counter / COUNTER_WINDOW);
        if let Some(taken) = home.and_then(|window| self.take_from(window, missing)) {
            let mut taken = taken.into_iter();
            return Ok(Account::of(kept.into_iter().filter_map(|counter| counter.or_else(|| taken.next())).collect()));
        }
        let free = self.free_by_window();
        let window = free.iter().find(|(_, free)| **free >= servers.len() as u32).map(|(window, _)| *window);
        let taken = window.and_then(|window| self.take_from(window, servers.len() as u32));
        taken.map(Account::of).ok_or_else(|| Error::Capacity {
            what: "counters for the servers of one service",
            needed: servers.len() as u64,
            capacity: free.values().copied().max().unwrap_or_default().into(),
            option: "--max-servers",
        })
    }

    /// Takes consecutive counters, from the shortest run that has them.
    fn take_block(&mut self, length: u32) -> Option<Vec<u32>> {
        if length == 0 {
            return Some(Vec::new());
        }
        let run = *self.free.range((length, 0)..).next()?;
        Some(self.take(run, length))
    }

    /// Takes any counters of a window; `None`: it has too few.
    fn take_from(&mut self, window: u32, count: u32) -> Option<Vec<u32>> {
        let runs: Vec<_> = self.free.iter().filter(|(_, start)| start / COUNTER_WINDOW == window).copied().collect();
        if runs.iter().map(|(length, _)| length).sum::<u32>() < count {
            return None;
        }
        let mut taken = Vec::new();
        for run in runs {
            let length = run.0.min(count - taken.len() as u32);
            taken.extend(self.take(run, length));
        }
        Some(taken)
    }

    fn take(&mut self, run: (u32, u32), length: u32) -> Vec<u32> {
        let (free, start) = run;
        self.free.remove(&run);
        if free > length {
            self.free.insert((free - length, start + length));
        }
        let taken: Vec<_> = (start..start + length).collect();
        self.fresh.extend(&taken);
        taken
    }

    fn free_by_window(&self) -> HashMap<u32, u32> {
        let mut windows = HashMap::new();
        for (length, start) in &self.free {
            *windows.entry(start / COUNTER_WINDOW).or_default() += length;
        }
        windows
    }

    /// What is left behind, once every service has its account. `settled` are the final values of the active half's
    /// draining counters.
    pub fn close(&self, holders: &[Holder<'_>], settled: &[Counter]) -> Remains {
        let now = Now::new(holders);
        let mut remains = Remains {
            draining: Vec::new(),
            servers: vec![Counter::default(); holders.iter().map(|holder| holder.servers.len()).sum()],
            services: vec![Counter::default(); holders.len()],
            former: self.have.record.former,
        };
        let names: Vec<_> = self.have.config.services.iter().map(|service| service.name.as_str()).collect();
        for (record, name) in self.have.services.iter().zip(&names) {
            remains.add(now.service(name), record.former);
        }
        let counted: Vec<_> = self.have.counted().collect();
        for (draining, value) in self.have.draining.iter().zip(settled) {
            let server = counted.get(draining.server as usize);
            let server = server.and_then(|(name, server, _)| now.list(name)?.server(*server, usize::MAX));
            let service = || names.get(draining.service as usize).and_then(|name| now.service(name));
            remains.add(server.or_else(service), *value);
        }
        for (service, record) in self.have.config.services.iter().zip(&self.have.services) {
            let list = now.list(&service.name);
            let servers = service.servers.iter().zip(self.have.servers_of(record));
            for (number, (server, ServerRecord { counter, former, .. })) in servers.enumerate() {
                let heir = list.map(|list| list.server(server.address, number).unwrap_or(list.heir()));
                remains.add(heir, *former);
                if heir.is_none_or(|heir| heir.counter != Some(*counter)) {
                    remains.draining.push(DrainingRecord {
                        counter: *counter,
                        service: heir.map_or(DrainingRecord::NO_SERVICE, |heir| heir.service),
                        server: heir.and_then(|heir| heir.server).unwrap_or(DrainingRecord::NO_SERVER),
                        reserved: 0,
                    });
                }
            }
        }
        remains
    }
}

impl Account {
    fn of(counters: Vec<u32>) -> Self {
        Self { first: counters.iter().copied().min().unwrap_or_default(), counters }
    }
}

/// Who takes over what a former counter counted: a service or, with its counter now, one of its servers.
#[derive(Clone, Copy)]
struct Heir {
    service: u32,
    server: Option<u32>,
    counter: Option<u32>,
}

/// The services and servers of the new half, by name.
struct Now<'a>(HashMap<&'a str, NewList>);

/// A service of the new half.
struct NewList {
    service: u32,
    first_server: u32,
    positions: Positions,
    counters: Vec<u32>,
}

impl<'a> Now<'a> {
    fn new(holders: &[Holder<'a>]) -> Self {
        let mut first_server = 0;
        let lists = holders.iter().zip(0..).map(|(holder, service)| {
            let positions = Positions::new(holder.servers.iter().copied());
            let list = NewList { service, first_server, positions, counters: holder.account.counters.clone() };
            first_server += holder.servers.len() as u32;
            (holder.name, list)
        });
        Self(lists.collect())
    }

    fn list(&self, name: &str) -> Option<&NewList> {
        self.0.get(name)
    }

    fn service(&self, name: &str) -> Option<Heir> {
        self.list(name).map(NewList::heir)
    }
}

impl NewList {
    /// The service itself.
    const fn heir(&self) -> Heir {
        Heir { service: self.service, server: None, counter: None }
    }

    /// One of its servers, which often has the same number as before.
    fn server(&self, server: IpAddr, number: usize) -> Option<Heir> {
        let position = self.positions.find(server, number)?;
        let (server, counter) = (self.first_server + position as u32, self.counters.get(position).copied());
        Some(Heir { service: self.service, server: Some(server), counter })
    }
}

impl Remains {
    /// Adds to a server, to a service, or to the total of former services.
    fn add(&mut self, heir: Option<Heir>, value: Counter) {
        match heir {
            Some(Heir { server: Some(server), .. }) => self.servers[server as usize] += value,
            Some(Heir { service, server: None, .. }) => self.services[service as usize] += value,
            None => self.former += value,
        }
    }
}

fn is_block(counters: &[u32]) -> bool {
    counters.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

/// The runs of counters that are not in use.
fn free_runs(used: &[bool]) -> BTreeSet<(u32, u32)> {
    let mut runs = BTreeSet::new();
    for (window, used) in (0..).zip(used.chunks(COUNTER_WINDOW as usize)) {
        let mut start = window * COUNTER_WINDOW;
        for run in used.chunk_by(|a, b| a == b) {
            if !run[0] {
                runs.insert((run.len() as u32, start));
            }
            start += run.len() as u32;
        }
    }
    runs
}
