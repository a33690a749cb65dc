//! What is due, and a fair share of the attempts for each service. Pure.
//!
//! A service may start an attempt while it has fewer in flight than there are free places. So one service has at most
//! half of the places, two that use all they get have a third each, and there is always room for one more: a service
//! whose servers are all silent does not delay another's verdict.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

/// When each attempt is due, and who is next.
pub(super) struct Schedule {
    /// How many attempts may be in flight.
    places: usize,
    flying: usize,
    /// Those that are not due yet.
    waiting: BinaryHeap<Reverse<(Instant, u64, Arc<str>)>>,
    /// Services with attempts that are due or in flight.
    shares: HashMap<Arc<str>, Share>,
    /// Services with attempts that are due, in the order in which it is their turn.
    turns: VecDeque<Arc<str>>,
}

#[derive(Default)]
struct Share {
    due: VecDeque<(Instant, u64)>,
    flying: usize,
    /// Whether it has a turn.
    queued: bool,
}

/// An attempt that starts now.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Start {
    /// Whose attempt it is.
    pub id: u64,
    /// Its service, for [`Schedule::ended`].
    pub service: Arc<str>,
    /// When it was due.
    pub due: Instant,
}

impl Schedule {
    /// Nothing is due.
    pub fn new(places: usize) -> Self {
        Self { places, flying: 0, waiting: BinaryHeap::new(), shares: HashMap::new(), turns: VecDeque::new() }
    }

    /// An attempt of a service is due then.
    pub fn add(&mut self, id: u64, service: Arc<str>, due: Instant) {
        self.waiting.push(Reverse((due, id, service)));
    }

    /// Forgets attempts that have not started.
    pub fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        self.waiting.retain(|Reverse((_, id, _))| keep(*id));
        self.shares.values_mut().for_each(|share| share.due.retain(|(_, id)| keep(*id)));
    }

    /// The attempt that starts next, if one may start now.
    pub fn start(&mut self, now: Instant) -> Option<Start> {
        self.collect(now);
        let free = self.places - self.flying;
        for _ in 0..self.turns.len() {
            let service = self.turns.pop_front()?;
            let Some(share) = self.shares.get_mut(&service) else { continue };
            let started = if share.flying < free { share.due.pop_front() } else { None };
            share.flying += usize::from(started.is_some());
            share.queued = !share.due.is_empty();
            if share.queued {
                self.turns.push_back(Arc::clone(&service));
            }
            if let Some((due, id)) = started {
                self.flying += 1;
                return Some(Start { id, service, due });
            }
            self.leave(&service);
        }
        None
    }

    /// An attempt of a service has ended.
    pub fn ended(&mut self, service: &Arc<str>) {
        self.flying -= 1;
        if let Some(share) = self.shares.get_mut(service) {
            share.flying -= 1;
        }
        self.leave(service);
    }

    /// When the next attempt becomes due.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((at, ..))| *at)
    }

    /// Moves what is due to the services' shares.
    fn collect(&mut self, now: Instant) {
        while self.waiting.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((due, id, service))) = self.waiting.pop() else { return };
            let share = self.shares.entry(Arc::clone(&service)).or_default();
            share.due.push_back((due, id));
            if !std::mem::replace(&mut share.queued, true) {
                self.turns.push_back(service);
            }
        }
    }

    /// Forgets a service without attempts.
    fn leave(&mut self, service: &Arc<str>) {
        if self.shares.get(service).is_some_and(|share| share.due.is_empty() && share.flying == 0 && !share.queued) {
            self.shares.remove(service);
        }
    }
}

#[cfg(test)]
mod tests;
