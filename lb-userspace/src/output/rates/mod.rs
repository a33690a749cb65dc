//! Two readings of the counters → rates between them, and how evenly servers share: pure.
//!
//! Trap: counters may go back. A server that was removed and added again starts at zero, and `forwarded`, a difference
//! of two counters that are read one after the other, may lose a few packets for a moment. Neither gives a negative
//! rate.

use std::{cell::OnceCell, collections::HashMap, hash::Hash};

use lb_common::outcome::Outcome;
use serde::Serialize;

use super::{
    counters::{ServiceStats, StatsView, Traffic},
    status::ServerView,
};

#[cfg(test)]
mod tests;

/// Packets and bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Frames.
    pub packets: f64,
    /// Bytes of the frames as XDP sees them.
    pub bytes: f64,
}

/// The rates of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRates {
    /// The total of its servers, including servers no longer configured.
    pub total: Rate,
    /// By server, in the later reading's order.
    pub servers: Vec<Rate>,
    /// Role `keep`: of packets that this host was the last to take.
    pub taken_last: Rate,
}

/// The rates between two readings, in the order of the later one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    outcomes: [Rate; Outcome::COUNT as usize],
    /// By service.
    pub services: Vec<ServiceRates>,
}

impl Rates {
    /// The rates from an `earlier` reading to the one of `now`, `seconds` later. New services and servers start at
    /// zero.
    pub fn between(earlier: &StatsView, now: &StatsView, seconds: f64) -> Self {
        let mut outcomes = [Rate::default(); Outcome::COUNT as usize];
        for &outcome in Outcome::ALL {
            outcomes[outcome.index() as usize] =
                Rate::between(earlier.outcomes.get(outcome), now.outcomes.get(outcome), seconds);
        }
        let before = Finder::new(&earlier.services, |service| service.name.as_str());
        let services = now.services.iter().enumerate().map(|(place, service)| {
            let was = before.find(place, &service.name.as_str());
            ServiceRates::between(was, service, seconds)
        });
        Self { outcomes, services: services.collect() }
    }

    /// The rate of an outcome.
    pub const fn outcome(&self, outcome: Outcome) -> Rate {
        self.outcomes[outcome.index() as usize]
    }
}

impl ServiceRates {
    fn between(was: Option<&ServiceStats>, now: &ServiceStats, seconds: f64) -> Self {
        let before = Finder::new(was.map_or(&[], |was| &was.servers), |server| server.address);
        let servers = now.servers.iter().enumerate().map(|(place, server)| {
            let was = before.find(place, &server.address).map(|was| was.total).unwrap_or_default();
            Rate::between(was, server.total, seconds)
        });
        let was_total = was.map(|was| was.total).unwrap_or_default();
        let taken_last = |stats: &ServiceStats| stats.taken_last.unwrap_or_default();
        Self {
            total: Rate::between(was_total, now.total, seconds),
            servers: servers.collect(),
            taken_last: Rate::between(was.map(taken_last).unwrap_or_default(), taken_last(now), seconds),
        }
    }

    /// The busiest server's rate divided by the mean rate, each by weight, among servers that are up. 1 is even;
    /// `None`: no packets.
    pub fn imbalance(&self, servers: &[ServerView]) -> Option<f64> {
        let up = servers.iter().zip(&self.servers).filter(|(server, _)| server.state.takes_flows());
        let (mut most, mut sum, mut weights) = (0.0_f64, 0.0, 0.0);
        for (server, rate) in up {
            let weight = f64::from(server.weight.max(1));
            most = most.max(rate.packets / weight);
            sum += rate.packets;
            weights += weight;
        }
        (sum > 0.0).then(|| most * weights / sum)
    }
}

impl Rate {
    fn between(was: Traffic, now: Traffic, seconds: f64) -> Self {
        let of = |was: u64, now: u64| if seconds > 0.0 { now.saturating_sub(was) as f64 / seconds } else { 0.0 };
        Self { packets: of(was.packets, now.packets), bytes: of(was.bytes, now.bytes) }
    }
}

/// Finds items of an earlier reading: usually at their present index, otherwise by a table that is only built when
/// needed.
struct Finder<'a, T, K> {
    things: &'a [T],
    key: fn(&'a T) -> K,
    table: OnceCell<HashMap<K, &'a T>>,
}

impl<'a, T, K: Eq + Hash> Finder<'a, T, K> {
    const fn new(things: &'a [T], key: fn(&'a T) -> K) -> Self {
        Self { things, key, table: OnceCell::new() }
    }

    fn find(&self, place: usize, wanted: &K) -> Option<&'a T> {
        if let Some(thing) = self.things.get(place).filter(|thing| (self.key)(thing) == *wanted) {
            return Some(thing);
        }
        let table = self.table.get_or_init(|| self.things.iter().map(|thing| ((self.key)(thing), thing)).collect());
        table.get(wanted).copied()
    }
}

/// Three significant digits and a decimal prefix.
pub fn scaled(rate: f64) -> String {
    let mut scaled = rate;
    let mut prefixes = ["", "k", "M", "G"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    // A value that rounds to 1000 gets the next prefix.
    while scaled >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        scaled /= 1000.0;
    }
    let digits = match scaled {
        0.0 => 0,
        x if x < 9.995 => 2,
        x if x < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{prefix}")
}
