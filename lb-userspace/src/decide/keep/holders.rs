//! The servers that may hold a flow's connection.

use lb_common::keep::MAX_HOLDERS;

use super::ranking::{DEPTH, Entry, NONE, Rankings};

/// A server that may hold a flow's connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holder {
    /// An index into the universe.
    pub server: u16,
    /// Why it may.
    pub reason: Reason,
}

/// Why a server may hold a flow's connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Balancers send the flow to it.
    OwnerNow,
    /// It owns the flow while those before it in the ranking take no flows, or did so until they came back.
    NextNow,
    /// It owned the flow by a previous list: 1 is the newest.
    OwnerThen(usize),
    /// It follows in the ranking of a previous list.
    NextThen(usize),
}

/// The servers that may hold the connections of these slots, one for each list: indices into the universe, each once,
/// the likeliest first, at most [`MAX_HOLDERS`].
pub fn holders(rankings: &Rankings, slots: &[u32]) -> Vec<u16> {
    let entries = rankings.lists.iter().zip(slots);
    let entries = entries.map(|(list, slot)| list.entries.get(*slot as usize).copied().unwrap_or([NONE; DEPTH]));
    of_entries(&entries.collect::<Vec<_>>()).into_iter().map(|holder| holder.server).collect()
}

/// The same with reasons, from the entry of each list.
pub fn of_entries(entries: &[Entry]) -> Vec<Holder> {
    let Some((now, then)) = entries.split_first() else { return Vec::new() };
    let then = || (1..).zip(then);
    let mut found = Found(Vec::with_capacity(MAX_HOLDERS));
    found.add(&now[..1], 1, Reason::OwnerNow);
    found.add(&now[1..], 1, Reason::NextNow);
    then().for_each(|(list, entry)| found.add(&entry[..1], 1, Reason::OwnerThen(list)));
    found.add(&now[1..], 2, Reason::NextNow);
    then().for_each(|(list, entry)| found.add(&entry[1..], 1, Reason::NextThen(list)));
    found.0
}

struct Found(Vec<Holder>);

impl Found {
    /// Adds so many servers that are not there yet, if there is room.
    fn add(&mut self, servers: &[u16], number: usize, reason: Reason) {
        let mut left = number.min(MAX_HOLDERS - self.0.len());
        for &server in servers.iter().take_while(|server| **server != NONE) {
            if left == 0 {
                break;
            }
            if self.0.iter().all(|holder| holder.server != server) {
                self.0.push(Holder { server, reason });
                left -= 1;
            }
        }
    }
}
