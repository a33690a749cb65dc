//! Every map of an instance, and what programs read of them. Programs write counters only; user space writes everything
//! else.
//!
//! A map with two halves holds half A first, then half B. `max_entries` are placeholders here: user space sets them
//! when an instance is made.
//!
//! [`CELLS`], [`SLOTS`], [`COUNTERS`] and the like are each the only value of their map, and programs index into them
//! without a lookup; see [`tables`]. The verifier inlines lookups in the other array maps, so there is no call
//! either.

use core::mem;

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, bpf_func_id::BPF_FUNC_get_smp_processor_id},
    btf_maps::{Array, DevMapHash},
    macros::btf_map,
};
use lb_common::{
    abi::Instance,
    control::Control,
    keep::Relay,
    limits::{MAX_INTERFACES, MAX_NIC_STATES, OUTCOME_COUNTERS},
    outcome::Outcome,
    prefixes::{PrefixFilter, PrefixLengths},
    record::{DrainingRecord, HalfRecord, NicStateRecord, PortRecord, PreviousRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PackedCounter, ServiceCell, Slot},
};
use lb_ebpf::hint::likely;

const MMAPABLE: usize = BPF_F_MMAPABLE as usize;

/// One word: [`Control`]. Read for every packet, stored to publish.
#[btf_map]
static CONTROL: Array<u64, 1, MMAPABLE> = Array::new();

/// The open-addressing table of services, both halves.
///
/// Like [`CONTROL`], [`FILTERS`], [`PREFIXES`], [`SLOTS`], [`COUNTERS`], [`TALLIES`] and [`OUTCOMES`], the table is one
/// value of its map rather than its entries, and is found without a lookup; see [`tables`]. User space creates these
/// maps in their real size.
#[btf_map]
static CELLS: Array<ServiceCell, 1, MMAPABLE> = Array::new();

/// The filters of prefixes: half A's for IPv4, then for IPv6, then half B's.
#[btf_map]
static FILTERS: Array<PrefixFilter, 1, MMAPABLE> = Array::new();

/// The slots of all services, both halves.
#[btf_map]
static SLOTS: Array<Slot, 1, MMAPABLE> = Array::new();

/// How to reach the servers that a slot alone does not describe, both halves, by counter.
#[btf_map]
static REMOTES: Array<NextHop, 1, MMAPABLE> = Array::new();

/// The attached interfaces, by index: those that frames may be redirected to.
///
/// Trap: a device map that is an array serves only programs for one buffer or only those for several; a hash table
/// serves both. User space makes this map with values of 4 bytes, which have no room for a program of an entry.
#[btf_map]
static DEVICES: DevMapHash<{ MAX_INTERFACES as usize }> = DevMapHash::new();

/// The lengths of prefixes: half A's for IPv4, then for IPv6, then half B's.
#[btf_map]
static PREFIXES: Array<PrefixLengths, 1, MMAPABLE> = Array::new();

/// What each server was sent: one range of counters for each CPU. What was sent last is still in [`TALLIES`]. User
/// space zeroes a counter before it is used again.
#[btf_map]
static COUNTERS: Array<Counter, 1, MMAPABLE> = Array::new();

/// Packed counters: what each server was sent since its counter was last added to, laid out in the same way. Nearly all
/// packets touch only these.
///
/// A per-CPU map would look up a pointer between the slot and the counter: one more wait for memory where many servers
/// are in use. The index of this CPU's range does not depend on the packet.
#[btf_map]
static TALLIES: Array<PackedCounter, 1, MMAPABLE> = Array::new();

/// The packets of each outcome, laid out in the same way. Those that went to a server are in its counter instead.
#[btf_map]
static OUTCOMES: Array<Counter, 1, MMAPABLE> = Array::new();

/// Role `keep`: what a program needs while it looks for the next server, for each CPU.
#[btf_map]
static RELAYS: Array<Relay, 1, MMAPABLE> = Array::new();

/// Role `keep`: the packets of each service that this host was the last to take, laid out in the same way.
#[btf_map]
static TAKEN: Array<Counter, 1, MMAPABLE> = Array::new();

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

/// User space only: the servers of previous lists, both halves.
#[btf_map]
static PREVIOUS: Array<PreviousRecord, 1, MMAPABLE> = Array::new();

/// User space only: counters of servers that were removed, both halves.
#[btf_map]
static RETIRED: Array<DrainingRecord, 1, MMAPABLE> = Array::new();

/// User space only: changes to interfaces that `detach` undoes.
#[btf_map]
static HELD: Array<NicStateRecord, { MAX_NIC_STATES as usize }, MMAPABLE> = Array::new();

/// User space only: the attached interfaces.
#[btf_map]
static PORTS: Array<PortRecord, { MAX_INTERFACES as usize }, MMAPABLE> = Array::new();

/// A value that user space sets when it loads a program. It is frozen then, so the verifier knows it as well.
#[repr(transparent)]
struct Constant<T>(T);

impl<T: Copy> Constant<T> {
    #[inline(always)]
    fn load(&self) -> T {
        // SAFETY: a valid value; volatile, since the compiler sees another one.
        unsafe { (&raw const self.0).read_volatile() }
    }
}

/// The MAC of the member's group in the first six bytes; 0: none, all ones: every MAC.
#[unsafe(no_mangle)]
static GROUP_MAC: Constant<u64> = Constant(0);

/// Numbers that user space sets when it loads a program. There are no such symbols: user space writes the numbers into
/// the instructions that refer to them. A global variable would be loaded from memory; these are part of the
/// instruction.
mod constants {
    unsafe extern "C" {
        /// The index of the interface that this program is attached to.
        pub static modlb_constant_INTERFACE: u8;
        /// The interface's MAC in the first six bytes.
        pub static modlb_constant_INTERFACE_MAC: u8;
        /// By how many bits a hash of 64 bits is shifted to give the number of a cell.
        pub static modlb_constant_CELL_SHIFT: u8;
        /// How many cells a half has: 2^64 >> CELL_SHIFT.
        pub static modlb_constant_CELLS: u8;
        /// The number of slots, both halves.
        pub static modlb_constant_SLOTS: u8;
        /// The number of counters of each CPU, which is also the length of a half of `REMOTES`.
        pub static modlb_constant_COUNTERS: u8;
        /// The length of `COUNTERS` and of `TALLIES`, over all CPUs.
        pub static modlb_constant_ALL_COUNTERS: u8;
        /// The length of `OUTCOMES`, over all CPUs.
        pub static modlb_constant_ALL_OUTCOMES: u8;
        /// The offset in bytes of `snt_isn` in the kernel's `struct tcp_request_sock`.
        pub static modlb_constant_SENT_ISN: u8;
        /// The number of counters in `TAKEN` of each CPU.
        pub static modlb_constant_TAKEN: u8;
        /// The length of `RELAYS`.
        pub static modlb_constant_CPUS: u8;
    }
}

/// A constant. Trap: the compiler believes that it is an address and never 0.
macro_rules! constant {
    ($name:ident) => {
        (&raw const constants::$name) as u64
    };
}

/// Tables that are each the one value of their map. There are no such symbols: when user space loads a program, it
/// writes the address of the map with the same name into the instructions that refer to them. So a table is found
/// without a lookup: no memory is waited for, and no registers are saved around a call.
mod tables {
    use lb_common::{
        keep::Relay,
        prefixes::{PrefixFilter, PrefixLengths},
        table::{Counter, PackedCounter, ServiceCell, Slot},
    };

    unsafe extern "C" {
        pub static modlb_table_CONTROL: u64;
        pub static modlb_table_CELLS: ServiceCell;
        pub static modlb_table_FILTERS: PrefixFilter;
        pub static modlb_table_PREFIXES: PrefixLengths;
        pub static modlb_table_SLOTS: Slot;
        pub static modlb_table_COUNTERS: Counter;
        pub static modlb_table_TALLIES: PackedCounter;
        pub static modlb_table_OUTCOMES: Counter;
        pub static modlb_table_RELAYS: Relay;
        pub static modlb_table_TAKEN: Counter;
    }
}

/// The word that says what is in force. Read it once per packet.
#[inline(always)]
pub fn control() -> Control {
    // SAFETY: a live, aligned u64; volatile, since user space stores to it at any time.
    Control(unsafe { (&raw const tables::modlb_table_CONTROL).read_volatile() })
}

/// The number of the cell where the search for a key starts: the half, then the first bits of the key's hash.
#[inline(always)]
pub fn first_cell(hash: u64, half: u32) -> u64 {
    (hash >> constant!(modlb_constant_CELL_SHIFT)) + half as u64 * constant!(modlb_constant_CELLS)
}

/// The number of the next cell of the same half.
#[inline(always)]
pub fn next_cell(number: u64) -> u64 {
    let mask = constant!(modlb_constant_CELLS) - 1;
    number & !mask | ((number + 1) & mask)
}

/// The cell where a search starts.
#[inline(always)]
pub fn cell(number: u64) -> &'static ServiceCell {
    // SAFETY: there are that many cells. The verifier agrees, since it knows the shift.
    unsafe { &*(&raw const tables::modlb_table_CELLS).add(number as usize) }
}

/// The cell with this number, counted over both halves.
#[inline(always)]
pub fn numbered_cell(number: u64) -> Result<&'static ServiceCell, Outcome> {
    let cell = entry(&raw const tables::modlb_table_CELLS, number, 2 * constant!(modlb_constant_CELLS));
    // SAFETY: the table lives as long as the program.
    cell.map(|cell| unsafe { &*cell }).ok_or(Outcome::NoService)
}

/// An entry of a table; see [`tables`].
///
/// Trap: an index has 64 bits. The compiler would widen one of 32 bits twice, for the comparison and for the address,
/// and the verifier does not know that both are the same.
#[inline(always)]
fn entry<T>(table: *const T, index: u64, length: u64) -> Option<*const T> {
    if !likely(index < length) {
        return None;
    }
    // SAFETY: the table has `length` entries.
    Some(unsafe { table.add(index as usize) })
}

/// The lengths of a half's prefixes of a family.
#[inline(always)]
pub fn prefix_lengths(half: u32, six: bool) -> &'static PrefixLengths {
    // SAFETY: as for filters.
    unsafe { &*(&raw const tables::modlb_table_PREFIXES).add(half as usize * 2 + six as usize) }
}

/// The filter of a half's prefixes of a family.
#[inline(always)]
pub fn filter(half: u32, six: bool) -> &'static PrefixFilter {
    // SAFETY: there are four. The verifier agrees, since both numbers have one bit.
    unsafe { &*(&raw const tables::modlb_table_FILTERS).add(half as usize * 2 + six as usize) }
}

/// The slot with this number, counted over both halves.
#[inline(always)]
pub fn slot(number: u64) -> Option<Slot> {
    entry(&raw const tables::modlb_table_SLOTS, number, constant!(modlb_constant_SLOTS))
        // SAFETY: the table lives as long as the program.
        .map(|slot| unsafe { *slot })
}

/// How to reach the server with this counter.
#[inline(always)]
pub fn next_hop(half: u32, counter: u64) -> Option<&'static NextHop> {
    REMOTES.get(half * constant!(modlb_constant_COUNTERS) as u32 + counter as u32)
}

/// The action that sends the frame by another interface, or `unreachable`.
#[inline(always)]
pub fn redirect(interface: u32) -> Result<u32, Outcome> {
    DEVICES.redirect(interface, 0).map_err(|_| Outcome::Unreachable)
}

/// The number of this CPU. A program is not moved to another while it runs.
///
/// The helper is declared here because it returns 64 bits; declared as 32, as elsewhere, it costs two instructions to
/// cut them off.
#[inline(always)]
fn cpu() -> u64 {
    // SAFETY: helpers are called by number; this one takes nothing and only reads.
    unsafe {
        let helper: unsafe extern "C" fn() -> u64 = mem::transmute(BPF_FUNC_get_smp_processor_id as usize);
        helper()
    }
}

/// The index of a server's counters on this CPU.
#[inline(always)]
pub fn server_index(number: u64) -> u64 {
    cpu() * constant!(modlb_constant_COUNTERS) + number
}

/// The counter with this index.
#[inline(always)]
pub fn server_counter(index: u64) -> Option<*mut Counter> {
    entry(&raw const tables::modlb_table_COUNTERS, index, constant!(modlb_constant_ALL_COUNTERS))
        .map(|entry| entry.cast_mut())
}

/// The packed counter with this index.
#[inline(always)]
pub fn packed_counter(index: u64) -> Option<*mut PackedCounter> {
    entry(&raw const tables::modlb_table_TALLIES, index, constant!(modlb_constant_ALL_COUNTERS))
        .map(|entry| entry.cast_mut())
}

/// An outcome's counter on this CPU.
#[inline(always)]
pub fn outcome_counter(outcome: Outcome) -> Option<*mut Counter> {
    let index = cpu() * OUTCOME_COUNTERS as u64 + outcome.index() as u64;
    entry(&raw const tables::modlb_table_OUTCOMES, index, constant!(modlb_constant_ALL_OUTCOMES))
        .map(|entry| entry.cast_mut())
}

/// A word of the map of slots that is no slot: a part of a ranking, or of what describes rankings; 0: there is none.
/// Not inlined: verifiers cannot follow the pointers that the compiler carries from one round of a loop to the next,
/// and those before Linux 6.3 not even a checked index that was on the stack.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn modlb_word(number: u64) -> u64 {
    slot(number).map_or(0, |slot| slot.0)
}

/// The offset of the sequence number of the SYN-ACK in the kernel's `struct tcp_request_sock`, or [`UNKNOWN_ISN`].
///
/// [`UNKNOWN_ISN`]: lb_common::keep::UNKNOWN_ISN
#[inline(always)]
pub fn sent_isn() -> u64 {
    constant!(modlb_constant_SENT_ISN)
}

/// What this CPU needs while it looks for the next server.
#[inline(always)]
pub fn relay() -> Option<*mut Relay> {
    entry(&raw const tables::modlb_table_RELAYS, cpu(), constant!(modlb_constant_CPUS)).map(|entry| entry.cast_mut())
}

/// A service's counter of packets that this host was the last to take, on this CPU.
#[inline(always)]
pub fn taken_counter(number: u64) -> Option<*mut Counter> {
    let length = constant!(modlb_constant_TAKEN);
    let index = cpu() * length + number;
    entry(&raw const tables::modlb_table_TAKEN, index, length * constant!(modlb_constant_CPUS))
        .map(|entry| entry.cast_mut())
}

/// The index of the interface that this program is attached to.
#[inline(always)]
pub fn interface() -> u64 {
    constant!(modlb_constant_INTERFACE)
}

/// Its MAC in the first six bytes, zeros in the last two.
#[inline(always)]
pub fn interface_mac() -> u64 {
    constant!(modlb_constant_INTERFACE_MAC)
}

/// The MAC of the group that this host is a member of; see [`lb_ebpf::ethernet::Member`].
#[inline(always)]
pub fn group_mac() -> u64 {
    GROUP_MAC.load()
}
