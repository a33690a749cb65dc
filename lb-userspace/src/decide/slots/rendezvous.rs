//! Rendezvous (highest random weight) hashing: each slot ranks servers by a hash of slot and server.

use std::net::IpAddr;

use lb_common::ring::mix;

use super::entry::Entry;

/// A lottery ticket of a server. It has as many as its weight; its best one counts.
pub(super) struct Ticket {
    number: u64,
    server: u16,
}

/// The tickets of the servers that take part.
pub(super) fn tickets(servers: &[Entry], takes_part: &[bool]) -> Vec<Ticket> {
    let taking_part = (0..=u16::MAX).zip(servers).zip(takes_part).filter(|(_, takes_part)| **takes_part);
    taking_part
        .flat_map(|((index, server), _)| {
            let hash = hash_address(server.address);
            (0..u64::from(server.weight))
                .map(move |copy| Ticket { number: mix(hash.wrapping_add(copy.wrapping_mul(GOLDEN))), server: index })
        })
        .collect()
}

/// The server whose ticket has the highest hash with the slot.
///
/// As [`mix`] is a bijection, only tickets with the same number have the same hash. The loop is kept simple for speed:
/// a table of 65,536 slots with half of the servers down takes 2^30 rounds.
pub(super) fn draw(tickets: &[Ticket], slot: u64) -> Option<u16> {
    let slot = hash_slot(slot);
    let (mut highest, mut winner) = (0, None);
    for ticket in tickets {
        let hash = mix(slot ^ ticket.number);
        if hash >= highest {
            (highest, winner) = (hash, Some(ticket.server));
        }
    }
    winner
}

/// Fills `best` with the servers that [`draw`] would name if those before them were gone, and returns how many there
/// are. `without` is left out.
pub(super) fn draw_many(tickets: &[Ticket], slot: u64, without: u16, best: &mut [u16]) -> usize {
    let slot = hash_slot(slot);
    let most = best.len().min(MOST);
    let mut hashes = [0; MOST];
    let mut len = 0;
    for group in tickets.chunk_by(|one, next| one.server == next.server) {
        let server = group[0].server;
        let hash = group.iter().map(|ticket| mix(slot ^ ticket.number)).max().unwrap_or_default();
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

/// The most that are drawn for a slot.
pub(super) const MOST: usize = 16;

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
