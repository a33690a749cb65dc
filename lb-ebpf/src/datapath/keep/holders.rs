//! Who may hold a flow's connection, and who is next among them.
//!
//! The rankings of the service's lists name them; see [`lb_common::keep`]. Hosts whose files differ in age may disagree
//! on who they are, but not on their order: it is that of a ring of hashes that knows nothing of configurations.
//!
//! What is looked for often consists of global functions, which take and return numbers; see `probe`. They share a
//! record of this CPU.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use lb_common::{
    control::Control,
    flow::Flow,
    formula,
    keep::{
        DEPTH, Directory, ENTRY_WORDS, LIST_WORDS, List, MAX_HOLDERS, NONE, RANKED_WORDS, WINDOW_SHIFT, unpack, word,
    },
    limits::MAX_PREVIOUS,
    outcome::Outcome,
    ring,
    table::ServiceCell,
};

use super::super::{
    maps::{self, modlb_word},
    network::Network,
};

/// The part of an entry that is the owner.
const OWNER: u64 = 0;

/// The part of an entry that is not.
const OTHERS: u64 = 1;

/// The index of the flow's entry in the ranking of the present list.
///
/// Trap: the number of slots is read once, else the compiler would see that it may have become 0 meanwhile.
#[inline(always)]
fn entry_now<A: Network>(flow: &Flow<A>, service: &ServiceCell) -> Option<u64> {
    entry(flow, service, &List { slots: service.slots, first: service.first_slot, powers: service.powers })
}

/// The same for any list; `None`: it has no servers.
#[inline(always)]
fn entry<A: Network>(flow: &Flow<A>, service: &ServiceCell, list: &List) -> Option<u64> {
    let slots = list.slots;
    if slots == 0 {
        return None;
    }
    let slot = formula::slot(flow, service.formula(), slots, &list.powers);
    Some(list.first as u64 + slot as u64 * ENTRY_WORDS as u64)
}

/// The server that gets the packet next, by its counter relative to the service's first.
///
/// # Errors
///
/// `taken_last`: there is none.
#[inline(always)]
pub fn next<A: Network>(
    flow: &Flow<A>,
    service: &ServiceCell,
    control: Control,
    hand_ons: u32,
) -> Result<u16, Outcome> {
    let Directory { lists, limit, own } = Directory::unpack(modlb_word(service.directory as u64));
    if !is_within_limit(limit) {
        return Err(Outcome::TakenLast);
    }
    collect(flow, service, lists).ok_or(Outcome::TakenLast)?;
    let counters = (control.half() as u64) << 32 | service.first_counter as u64;
    match modlb_next_in_ring(ring::flow(flow), own as u64, counters, hand_ons as u64) {
        0 => Err(Outcome::TakenLast),
        next => Ok((next - 1) as u16),
    }
}

/// Counts a hand-on, unless this CPU had too many of late.
#[inline(always)]
fn is_within_limit(limit: u32) -> bool {
    let Some(relay) = maps::relay() else { return false };
    // SAFETY: a helper that only reads the clock.
    let window = unsafe { bpf_ktime_get_ns() } >> WINDOW_SHIFT;
    // SAFETY: this CPU's record, which nothing else uses while the program runs.
    unsafe {
        if (*relay).window != window {
            (*relay).window = window;
            (*relay).handed_on = 0;
        }
        (*relay).handed_on += 1;
        (*relay).handed_on <= limit as u64
    }
}

/// Collects in this CPU's record who may hold the connection, by the present list and this many earlier ones.
#[inline(always)]
fn collect<A: Network>(flow: &Flow<A>, service: &ServiceCell, lists: u32) -> Option<()> {
    // SAFETY: this CPU's record.
    unsafe { (*maps::relay()?).count = 0 };
    let now = entry_now(flow, service)?;
    let first = service.directory as u64;
    modlb_add_holders(now, OWNER, 1);
    modlb_add_holders(now, OTHERS, 1);
    let mut then = [u64::MAX; MAX_PREVIOUS];
    for (number, then) in then.iter_mut().enumerate() {
        if number as u32 >= lists {
            break;
        }
        let place = first + (RANKED_WORDS + number * LIST_WORDS) as u64;
        let list = List::unpack([modlb_word(place), modlb_word(place + 1), modlb_word(place + 2)]);
        let Some(found) = entry(flow, service, &list) else { continue };
        *then = found;
        modlb_add_holders(found, OWNER, 1);
    }
    modlb_add_holders(now, OTHERS, 2);
    for then in then {
        if then != u64::MAX {
            modlb_add_holders(then, OTHERS, 1);
        }
    }
    Some(())
}

/// The owner in the ranking of the present list, by its counter relative to the service's first; [`NONE`]: there is
/// none.
#[inline(always)]
pub fn owner<A: Network>(flow: &Flow<A>, service: &ServiceCell) -> u16 {
    entry_now(flow, service).map_or(NONE, |entry| unpack(modlb_word(entry + word(0) as u64), 0))
}

/// Adds up to `wanted` servers of an entry that are not there yet.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_add_holders(entry: u64, part: u64, wanted: u64) -> u64 {
    let mut added = 0;
    for place in 0..DEPTH {
        if place == 0 && part == OTHERS {
            continue;
        }
        if added >= wanted || (place > 0 && part == OWNER) {
            break;
        }
        let server = unpack(modlb_word(entry + word(place) as u64), place);
        if server == NONE {
            break;
        }
        added += modlb_add_holder(server as u64);
    }
    added
}

/// Adds a server; 1: it was not there yet.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_add_holder(server: u64) -> u64 {
    let Some(relay) = maps::relay() else { return 0 };
    // SAFETY: this CPU's record.
    let relay = unsafe { &mut *relay };
    let (server, count) = (server as u16, relay.count);
    if count >= MAX_HOLDERS as u64 {
        return 0;
    }
    for place in 0..MAX_HOLDERS {
        if place as u64 >= count {
            break;
        }
        if relay.holders[place] == server {
            return 0;
        }
    }
    relay.holders[count as usize & 0xf] = server;
    relay.count = count + 1;
    1
}

/// The server that follows this host in the ring of a flow, plus 1; 0: there is none, or the packet went around one and
/// a half times.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_next_in_ring(flow: u64, own: u64, counters: u64, hand_ons: u64) -> u64 {
    let Some(relay) = maps::relay() else { return 0 };
    // SAFETY: this CPU's record.
    let relay = unsafe { &*relay };
    let (half, first) = ((counters >> 32) as u32, counters & 0xffff_ffff);
    let own = ring::place(flow, own as u32);
    let (mut others, mut following, mut lowest) = (0, (u64::MAX, 0), (u64::MAX, 0));
    for place in 0..MAX_HOLDERS {
        if place as u64 >= relay.count {
            break;
        }
        let server = relay.holders[place] as u64;
        let Some(next_hop) = maps::next_hop(half, first + server) else { continue };
        if next_hop.is_here() {
            continue;
        }
        others += 1;
        let stands = ring::place(flow, next_hop.ring);
        if stands > own && stands < following.0 {
            following = (stands, server + 1);
        }
        if stands < lowest.0 {
            lowest = (stands, server + 1);
        }
    }
    if hand_ons >= 3 * (others + 1) / 2 {
        return 0;
    }
    if following.1 != 0 { following.1 } else { lowest.1 }
}
