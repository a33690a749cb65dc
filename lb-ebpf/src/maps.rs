//! Every map. User space writes all of them but the counters; the programs write nothing else.
//!
//! Maps that exist in two halves hold half A first, then half B; `max_entries` here are placeholders, user space sets them
//! when an instance is made and tells the programs by the globals.
//!
//! Array maps are looked up by instructions that the verifier puts inline: no call leaves the program.

use aya_ebpf::{
    Global,
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, DevMapHash, PerCpuArray},
    macros::btf_map,
};
use lb_common::{
    abi::Instance,
    control::Control,
    limits::{MAX_HELD, MAX_INTERFACES},
    outcome::Outcome,
    record::{HalfRecord, HeldRecord, RetiredRecord, ServerRecord, ServiceRecord},
    table::{Counter, PrefixLengths, Remote, ServiceCell, Slot},
};

const MMAPABLE: usize = BPF_F_MMAPABLE as usize;

/// One word: [`Control`]. Read by every packet, stored to publish.
#[btf_map]
static CONTROL: Array<u64, 1, MMAPABLE> = Array::new();

/// The open-addressing table of services, both halves.
///
/// This table and [`SLOTS`] are each the one value of their map, not its entries. A lookup of entry 0 does not depend on the
/// packet, so the processor has it done long before it knows the index; only the index and one comparison are left on the
/// way from the packet to the entry. User space makes these maps, as large as they are to be.
#[btf_map]
static CELLS: Array<ServiceCell, 1, MMAPABLE> = Array::new();

/// The slots of all services, both halves.
#[btf_map]
static SLOTS: Array<Slot, 1, MMAPABLE> = Array::new();

/// Servers that a slot alone does not describe, both halves, by counter.
#[btf_map]
static REMOTES: Array<Remote, 1, MMAPABLE> = Array::new();

/// The interfaces that are attached, by index: those that frames may be redirected to.
///
/// Trap: a map of devices that is an array is for programs of one kind only, those of one buffer or those of several; one that
/// is a hash table is for both.
#[btf_map]
static DEVICES: DevMapHash<{ MAX_INTERFACES as usize }> = DevMapHash::new();

/// The lengths of prefixes: half A's for IPv4, for IPv6, then half B's.
#[btf_map]
static PREFIXES: Array<PrefixLengths, 4, MMAPABLE> = Array::new();

/// What each server was sent. Written by the programs; zeroed by user space before a counter is used anew.
#[btf_map]
static COUNTERS: PerCpuArray<Counter, 1> = PerCpuArray::new();

/// What came to each outcome but `forwarded`, which is the sum over the servers.
#[btf_map]
static OUTCOMES: PerCpuArray<Counter, { Outcome::COUNT as usize }> = PerCpuArray::new();

/// User space only: what the instance is.
#[btf_map]
static INSTANCE: Array<Instance, 1, MMAPABLE> = Array::new();

/// User space only: what each half holds.
#[btf_map]
static HALVES: Array<HalfRecord, 2, MMAPABLE> = Array::new();

/// User space only: the services, both halves.
#[btf_map]
static SERVICES: Array<ServiceRecord, 1, MMAPABLE> = Array::new();

/// User space only: the servers, both halves.
#[btf_map]
static SERVERS: Array<ServerRecord, 1, MMAPABLE> = Array::new();

/// User space only: counters of servers that left, both halves.
#[btf_map]
static RETIRED: Array<RetiredRecord, 1, MMAPABLE> = Array::new();

/// User space only: what is held of interfaces.
#[btf_map]
static HELD: Array<HeldRecord, { MAX_HELD as usize }, MMAPABLE> = Array::new();

/// The index of the interface that this program is attached to.
#[unsafe(no_mangle)]
static INTERFACE: Global<u32> = Global::new(0);

/// Its MAC in the first six bytes.
#[unsafe(no_mangle)]
static INTERFACE_MAC: Global<u64> = Global::new(0);

/// The MAC of the group that a member belongs to, in the first six bytes; 0: none, all ones: every MAC.
#[unsafe(no_mangle)]
static GROUP_MAC: Global<u64> = Global::new(0);

/// The number of cells in a half (a power of two) less one.
#[unsafe(no_mangle)]
static CELL_MASK: Global<u32> = Global::new(0);

/// The number of slots, both halves.
#[unsafe(no_mangle)]
static SLOT_CAPACITY: Global<u32> = Global::new(0);

/// The number of counters, which is the length of a half of [`REMOTES`].
#[unsafe(no_mangle)]
static COUNTER_CAPACITY: Global<u32> = Global::new(0);

/// The word that says what is in force. Read it once for a packet.
#[inline(always)]
pub fn control() -> Control {
    match CONTROL.get_ptr(0) {
        // SAFETY: the pointer is to a live, aligned u64; volatile, since user space stores to it at any time.
        Some(word) => Control(unsafe { word.read_volatile() }),
        None => Control::default().with_standby(true),
    }
}

/// The number of cells in a half, less one.
#[inline(always)]
pub fn cell_mask() -> u32 {
    CELL_MASK.load()
}

/// The number of a cell, halves included.
#[inline(always)]
pub fn cell_number(half: u32, place: u32) -> u64 {
    half as u64 * (cell_mask() as u64 + 1) + place as u64
}

/// The cell at this place of a half.
#[inline(always)]
pub fn cell(half: u32, place: u32) -> Result<&'static ServiceCell, Outcome> {
    numbered_cell(cell_number(half, place))
}

/// The cell with this number, halves included.
#[inline(always)]
pub fn numbered_cell(number: u64) -> Result<&'static ServiceCell, Outcome> {
    entry(CELLS.get_ptr(0), number, 2 * (cell_mask() as u64 + 1)).ok_or(Outcome::NoService)
}

/// An entry of a table that is the one value of its map; see [`CELLS`].
///
/// Trap: indices are numbers of 64 bits. One of 32 the compiler would widen twice, once for the comparison and once for the
/// address, and the verifier does not know that both are the same.
#[inline(always)]
fn entry<T>(table: Option<*const T>, index: u64, length: u64) -> Option<&'static T> {
    let table = table?;
    if index >= length {
        return None;
    }
    // SAFETY: the table has `length` entries, and lives as long as the program.
    Some(unsafe { &*table.add(index as usize) })
}

/// The lengths of a half's prefixes of a family.
#[inline(always)]
pub fn prefix_lengths(half: u32, six: bool) -> Option<&'static PrefixLengths> {
    PREFIXES.get(half * 2 + six as u32)
}

/// The slot with this number, halves included.
#[inline(always)]
pub fn slot(number: u32) -> Option<Slot> {
    entry(SLOTS.get_ptr(0), number as u64, SLOT_CAPACITY.load() as u64).copied()
}

/// Where the server with this counter is.
#[inline(always)]
pub fn remote(half: u32, counter: u32) -> Option<&'static Remote> {
    REMOTES.get(half * COUNTER_CAPACITY.load() + counter)
}

/// The action that sends the frame by another interface, or `unreachable`.
#[inline(always)]
pub fn redirect(interface: u32) -> Result<u32, Outcome> {
    DEVICES.redirect(interface, 0).map_err(|_| Outcome::Unreachable)
}

/// A server's counter on this CPU.
#[inline(always)]
pub fn server_counter(number: u32) -> Option<*mut Counter> {
    COUNTERS.get_ptr_mut(number)
}

/// An outcome's counter on this CPU.
#[inline(always)]
pub fn outcome_counter(outcome: Outcome) -> Option<*mut Counter> {
    OUTCOMES.get_ptr_mut(outcome.index())
}

/// The index of the interface that this program is attached to.
#[inline(always)]
pub fn interface() -> u32 {
    INTERFACE.load()
}

/// Its MAC in the first six bytes, zeros in the last two.
#[inline(always)]
pub fn interface_mac() -> u64 {
    INTERFACE_MAC.load()
}

/// The MAC of the group that this host is a member of; see [`lb_ebpf::parse::group`].
#[inline(always)]
pub fn group_mac() -> u64 {
    GROUP_MAC.load()
}
