//! What can be reached, and since when.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{starvation::Unstarved, traffic::Traffic};

/// No service may be silent for longer, apart from time in which processes waited for a CPU.
const LONGEST: Duration = Duration::from_secs(3);

/// How long frames may still go to a MAC that a server had before. A server that does not announce its new MAC is asked
/// at the old one by the kernel, every five seconds, three times a second apart, and only then again by everyone.
const STALE: Duration = Duration::from_secs(15);

/// The hosts: A, B, and the other servers; on which segments they have interfaces.
pub const SEGMENTS: [&[usize]; 6] = [&[0, 1], &[0, 1], &[0], &[0], &[1], &[1]];

/// Since when something is well; `None`: it is not.
type Since = Option<Instant>;

pub struct Model {
    /// For each balancer.
    pub agents: [Since; 2],
    /// For each host and segment.
    pub links: [[Since; 2]; 6],
    /// For each host.
    pub serving: [Since; 6],
    /// For each service and host: not taken down by a command.
    pub wanted: [[Since; 6]; 2],
    /// Servers' MACs, and until when frames may go there.
    macs: HashMap<[u8; 6], Option<Instant>>,
    /// When a balancer last got another MAC.
    balancer_changed: Option<Instant>,
}

impl Model {
    pub fn new() -> Self {
        let now = Some(Instant::now());
        let mut macs = HashMap::new();
        for (host, number) in [11, 12, 21, 22, 23, 24].into_iter().enumerate() {
            for segment in SEGMENTS[host] {
                macs.insert([2, 0, 0, 0, *segment as u8, number], None);
            }
        }
        Self {
            agents: [now; 2],
            links: [[now; 2]; 6],
            serving: [now; 6],
            wanted: [[now; 6]; 2],
            macs,
            balancer_changed: None,
        }
    }

    pub fn change_mac(&mut self, old: [u8; 6], new: [u8; 6]) {
        self.macs.insert(old, Some(Instant::now() + STALE));
        self.macs.insert(new, None);
        // The fourth byte of a new MAC is the host's number and one.
        if (1..=2).contains(&new[3]) {
            self.balancer_changed = Some(Instant::now());
        }
    }

    /// Whether a balancer may take what the other one forwarded for a client's: it does not know the other's MAC, which
    /// has just changed or which no agent has followed. Even so nothing is forwarded a third time.
    pub fn may_not_know_the_other(&self, balancer: usize) -> bool {
        let short = |since: Option<Instant>| since.is_none_or(|since| since.elapsed() < STALE);
        self.balancer_changed.is_some() && (short(self.balancer_changed) || short(self.agents[balancer]))
    }

    /// Whether a balancer may send to a MAC: a server has it, or had it a moment ago, or had it at any time if no agent
    /// follows MACs on the balancer.
    pub fn is_servers(&self, mac: [u8; 6], balancer: usize) -> bool {
        let unattended = self.agents[balancer].is_none_or(|since| since.elapsed() < STALE);
        self.macs.get(&mac).is_some_and(|until| unattended || until.is_none_or(|until| Instant::now() < until))
    }

    /// Since when a server can be reached through the balancer of this number.
    fn reachable(&self, balancer: usize) -> Since {
        let entrance = self.agents[balancer]?.max(self.links[balancer][0]?);
        let servers = (2..SEGMENTS.len()).filter_map(|server| {
            let segment = SEGMENTS[server][0];
            let way = self.links[balancer][segment]?.max(self.links[server][segment]?);
            Some(way.max(self.serving[server]?).max(self.wanted[balancer][server]?))
        });
        servers.min().map(|server| server.max(entrance))
    }

    /// A service without traffic although there could be.
    pub fn silent(&self, traffic: &Traffic, unstarved: &Unstarved) -> Option<String> {
        (0..2).find_map(|service| {
            let last = traffic.last(service);
            let quiet = unstarved.since(self.reachable(service)?.max(last));
            let text = || format!("service web{service} has had no traffic for {:.1} s", last.elapsed().as_secs_f64());
            (quiet > LONGEST).then(text)
        })
    }
}
