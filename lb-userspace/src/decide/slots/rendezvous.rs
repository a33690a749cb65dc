//! Rendezvous (highest random weight) hashing: each slot ranks servers by a hash of slot and server.

use std::{net::IpAddr, sync::Mutex, thread};

use lb_common::ring::mix;

use super::{
    entry::Entry,
    highest::{Highest, highest},
};

/// The lottery tickets of the servers that take part. A server has as many as its weight; its best one counts.
pub(super) struct Tickets {
    numbers: Vec<u64>,
    /// For each number its server. Those of a server follow one another.
    servers: Vec<u16>,
}

impl Tickets {
    /// Those of the servers that take part.
    pub fn of(servers: &[Entry], takes_part: &[bool]) -> Self {
        let taking_part = (0..=u16::MAX).zip(servers).zip(takes_part).filter(|(_, takes_part)| **takes_part);
        let tickets = taking_part.flat_map(|((index, server), _)| {
            let hash = hash_address(server.address);
            (0..u64::from(server.weight)).map(move |copy| (mix(hash.wrapping_add(copy.wrapping_mul(GOLDEN))), index))
        });
        let (numbers, servers) = tickets.unzip();
        Self { numbers, servers }
    }

    /// Whether nobody takes part.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The server whose ticket has the highest hash with the slot. As [`mix`] is a bijection, only tickets with the
    /// same number have the same hash; the last of them counts.
    pub fn draw(&self, slot: u64) -> Option<u16> {
        let Highest { index, .. } = highest(&self.numbers, hash_slot(slot))?;
        Some(self.servers[index])
    }

    /// Draws for each slot whose server `is_lost`.
    pub fn deal(&self, slots: &mut [Option<u16>], is_lost: impl Fn(u16) -> bool + Sync) {
        let lost = slots.iter().flatten().filter(|server| is_lost(**server)).count();
        let threads = if lost * self.numbers.len() < WORTH_THREADS { 1 } else { threads() };
        let pieces = Mutex::new((0..).step_by(PIECE).zip(slots.chunks_mut(PIECE)));
        let work = || {
            let next = || pieces.lock().ok()?.next();
            while let Some((first, piece)) = next() {
                for (slot, server) in (first..).zip(piece).filter(|(_, server)| server.is_some_and(&is_lost)) {
                    *server = self.draw(slot);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // Without another thread it only takes longer.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
    }

    /// Fills `best` with the servers that [`Tickets::draw`] would name if those before them were gone, and returns how
    /// many there are. `without` is left out.
    pub fn draw_many(&self, slot: u64, without: u16, best: &mut [u16]) -> usize {
        let slot = hash_slot(slot);
        let most = best.len().min(MOST);
        let mut hashes = [0; MOST];
        let (mut len, mut numbers) = (0, &self.numbers[..]);
        for group in self.servers.chunk_by(|one, next| one == next) {
            let (own, others) = numbers.split_at(group.len());
            numbers = others;
            let server = group[0];
            let hash = own.iter().map(|number| mix(slot ^ number)).max().unwrap_or_default();
            // A full list keeps its last, unless this one comes before it.
            let mut at = match len < most {
                true => len,
                false if most > 0 && hash >= hashes[most - 1] => most - 1,
                false => continue,
            };
            if server == without {
                continue;
            }
            len = len.max(at + 1);
            while at > 0 && hashes[at - 1] <= hash {
                (hashes[at], best[at]) = (hashes[at - 1], best[at - 1]);
                at -= 1;
            }
            (hashes[at], best[at]) = (hash, server);
        }
        len
    }
}

/// The most that are drawn for a slot.
pub(super) const MOST: usize = 16;

/// From this many hashes on, some ten milliseconds, other CPUs help. A table of 65,536 slots with half of the servers
/// down takes 2^30.
const WORTH_THREADS: usize = 1 << 23;

/// Slots that a thread takes at a time.
const PIECE: usize = 1 << 10;

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// 2^64 divided by the golden ratio, odd: SplitMix64's increment (Steele, Lea and Flood, OOPSLA 2014).
pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn hash_slot(slot: u64) -> u64 {
    mix(slot.wrapping_mul(GOLDEN).wrapping_add(GOLDEN))
}

pub(super) fn hash_address(address: IpAddr) -> u64 {
    let (family, bits) = match address {
        IpAddr::V4(v4) => (4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (6, v6.to_bits()),
    };
    mix(mix((bits >> 64) as u64 ^ GOLDEN.wrapping_mul(family)) ^ bits as u64)
}
