//! Who may hold a connection: a limited number in all, and of them a share for each source.
//!
//! Trap: a client that opens connections and says little must not keep others away, nor itself: a scraper may come from
//! the same address. So a new connection is always let in, in place of the one that has been waiting longest.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::Notify, time::Instant};

/// Whom connections come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Source {
    /// An IPv4 address.
    V4(IpAddr),
    /// A /64 of IPv6, in which a host has any number of addresses.
    V6(Ipv6Addr),
    /// This host, by a Unix socket.
    Unix,
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            v4 @ IpAddr::V4(_) => Self::V4(v4),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64 << 64).into()),
        }
    }
}

/// All connections.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    /// The largest number for each source.
    share: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    next: u64,
    held: HashMap<u64, Held>,
}

struct Held {
    source: Source,
    /// Its request is being answered; otherwise it is waited for, or the answer is being sent.
    busy: bool,
    since: Instant,
    end: Arc<Notify>,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    id: u64,
    busy: AtomicBool,
    end: Arc<Notify>,
    table: Arc<Mutex<Table>>,
}

impl Places {
    /// At most so many in all, and for each source.
    pub fn new(most: usize, share: usize) -> Self {
        Self { most, share, table: Arc::default() }
    }

    /// A place for a new connection, if necessary that of another one; `None`: all are busy.
    pub fn enter(&self, source: Source) -> Option<Place> {
        let mut table = lock(&self.table);
        let of = |table: &Table, source| table.held.values().filter(|held| held.source == source).count();
        if of(&table, source) >= self.share {
            table.end_longest(|held| held.source == source)?;
        }
        if table.held.len() >= self.most {
            // Who holds most gives one up.
            let greediest = table.held.values().map(|held| held.source).max_by_key(|source| of(&table, *source))?;
            table.end_longest(|held| held.source == greediest).or_else(|| table.end_longest(|_| true))?;
        }
        let (id, end) = (table.next, Arc::new(Notify::new()));
        table.next += 1;
        table.held.insert(id, Held { source, busy: false, since: Instant::now(), end: Arc::clone(&end) });
        Some(Place { id, busy: AtomicBool::new(false), end, table: Arc::clone(&self.table) })
    }
}

impl Table {
    /// Ends the connection that has not been busy for the longest time.
    fn end_longest(&mut self, which: impl Fn(&Held) -> bool) -> Option<()> {
        let idle = self.held.iter().filter(|(_, held)| !held.busy && which(held));
        let id = idle.min_by_key(|(id, held)| (held.since, **id)).map(|(id, _)| *id)?;
        self.held.remove(&id).map(|held| held.end.notify_one())
    }
}

impl Place {
    /// Its request is being answered, or no longer is.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        if let Some(held) = lock(&self.table).held.get_mut(&self.id) {
            (held.busy, held.since) = (busy, Instant::now());
        }
    }

    /// Whether its request is being answered. It may have come just when the place was lost.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Waits until another connection takes its place.
    pub async fn lost(&self) {
        self.end.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.table).held.remove(&self.id);
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn source(text: &str) -> Source {
        Source::from(SocketAddr::new(text.parse().unwrap(), 1))
    }

    fn is_lost(place: &Place) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn a_source_is_an_address_or_a_network_of_64_bits() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn a_source_takes_only_its_own_places() {
        let places = Places::new(10, 3);
        let other = places.enter(source("192.0.2.9")).unwrap();
        let held: Vec<_> = (0..5).map(|_| places.enter(source("192.0.2.1")).unwrap()).collect();
        let lost: Vec<_> = held.iter().map(is_lost).collect();
        assert_eq!(lost, [true, true, false, false, false]);
        assert!(!is_lost(&other));
    }

    #[test]
    fn busy_connections_stay() {
        let places = Places::new(10, 2);
        let (first, second) = (places.enter(Source::Unix).unwrap(), places.enter(Source::Unix).unwrap());
        first.set_busy(true);
        let third = places.enter(Source::Unix).unwrap();
        assert!(!is_lost(&first) && is_lost(&second));
        third.set_busy(true);
        assert!(places.enter(Source::Unix).is_none());
        drop(third);
        assert!(places.enter(Source::Unix).is_some());
    }

    #[test]
    fn where_all_is_full_the_greediest_source_gives_up_a_place() {
        let places = Places::new(5, 4);
        let greedy: Vec<_> = (0..4).map(|_| places.enter(source("2001:db8::1")).unwrap()).collect();
        let modest = places.enter(source("192.0.2.1")).unwrap();
        let new = places.enter(source("192.0.2.2")).unwrap();
        assert!(is_lost(&greedy[0]) && !is_lost(&greedy[1]) && !is_lost(&modest) && !is_lost(&new));
    }
}
