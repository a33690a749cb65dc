//! What is noted of a packet on its way, and how it is handed to user space.
//!
//! Trap: what is told may not change what is done. Where there is no room for an event it is dropped and counted, and the packet
//! goes its way.

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    helpers::{
        bpf_ktime_get_ns,
        generated::{bpf_probe_read_kernel, bpf_ringbuf_output},
    },
    macros::btf_map,
};
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    formula::{self, Formula},
    outcome::Outcome,
    table::ServiceCell,
    trace::{Event, Filter, MAX_SNAP, Told},
};
use lb_ebpf::packet::Context;

use crate::maps;

/// User space looks by itself: with a wake-up for each event, a busy balancer would do little else.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// The events. User space says how large it is.
#[btf_map]
static EVENTS: RingBuf<u8, 4096> = RingBuf::new();

/// Where an event is put together: the stack is too small.
#[btf_map]
static NOTES: PerCpuArray<Notes, 1> = PerCpuArray::new();

/// What was counted.
#[btf_map]
static TOLD: PerCpuArray<Told, 1> = PerCpuArray::new();

/// Of which packets to tell.
#[unsafe(no_mangle)]
static FILTER: Filter = Filter::ALL;

const ROOM: usize = 2 * MAX_SNAP as usize;

#[repr(C)]
pub struct Notes {
    event: Event,
    bytes: [u8; ROOM],
}

/// Who is told.
pub trait Listener {
    /// The packet is done; its event, when it fits the filter.
    fn hear<C: Context>(context: *mut C, note: Note);
}

/// `modlb trace`.
pub struct Events;

/// What is noted of one packet.
#[derive(Clone, Copy)]
pub struct Note {
    notes: *mut Notes,
}

#[inline(always)]
fn filter() -> Filter {
    // SAFETY: a valid value; volatile, since user space writes another before the program is loaded.
    unsafe { (&raw const FILTER).read_volatile() }
}

impl Note {
    /// Of a packet about which nothing is known yet.
    #[inline(always)]
    pub fn start(control: Control, length: usize, frames: u64) -> Option<Self> {
        let note = Self { notes: NOTES.get_ptr_mut(0)? };
        // SAFETY: a helper that only reads.
        let time = unsafe { bpf_ktime_get_ns() };
        *note.event() = Event {
            time,
            control: control.0,
            interface: maps::interface(),
            length: length as u32,
            frames: frames as u32,
            counter: Event::NO_SERVER,
            ..Event::default()
        };
        Some(note)
    }

    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "there is one program on this CPU, and none of the references outlives a statement"
    )]
    pub fn event(&self) -> &mut Event {
        // SAFETY: the pointer is to this CPU's own value, which nothing else touches while the program runs.
        unsafe { &mut (*self.notes).event }
    }

    /// The tuple, as far as it is oriented.
    #[inline(always)]
    pub fn flow<A: Address>(&self, flow: &Flow<A>) {
        let event = self.event();
        event.source = flow.source.halves();
        event.destination = flow.destination.halves();
        event.source_port = flow.source_port;
        event.destination_port = flow.destination_port;
        event.protocol = flow.protocol;
        event.family = A::FAMILY;
        event.flags = if flow.fragment { Event::FRAGMENT } else { 0 };
    }

    /// The service that takes it.
    #[inline(always)]
    pub fn service(&self, service: &ServiceCell) {
        let event = self.event();
        event.tag = service.tag;
        event.prefix = service.prefix;
        event.slots = service.slots;
        if matches!(service.formula(), Formula::FiveTuple) {
            event.flags |= Event::FIVE_TUPLE;
        }
    }

    /// The slot, and the server's counter.
    ///
    /// Trap: that T is not 0 is known by now, but not to the compiler, which would call what panics.
    #[inline(always)]
    pub fn server<A: Address>(&self, flow: &Flow<A>, service: &ServiceCell, counter: u64) {
        let (event, slots) = (self.event(), service.slots);
        if slots != 0 {
            event.slot = formula::slot(flow, service.formula(), slots, &service.powers);
        }
        event.counter = counter as u32;
    }

    /// Keeps the frame as it is: it is about to be written to.
    #[inline(always)]
    pub fn keep<C: Context>(&self, context: *mut C) {
        if filter().takes(self.event()) {
            self.event().before = self.copy(context, 0);
        }
    }

    /// Tells of the packet, if it is one to tell of.
    #[inline(always)]
    pub fn end<C: Context, L: Listener>(self, context: *mut C, outcome: Outcome, action: u32) {
        let event = self.event();
        (event.outcome, event.action) = (outcome.index(), action);
        let Some(told) = TOLD.get_ptr_mut(0) else { return };
        // SAFETY: as for the event.
        let told = unsafe { &mut *told };
        told.seen += 1;
        let filter = filter();
        if filter.outcomes >> outcome.index() & 1 == 0 || !filter.takes(event) {
            return;
        }
        let sample = filter.sample as u64;
        let turn = sample == 0 || told.fit % sample == 0;
        told.fit += 1;
        if turn {
            L::hear(context, self);
        }
    }

    /// Copies the first bytes of the frame behind those that are copied already, of which there are so many.
    #[inline(always)]
    fn copy<C: Context>(&self, context: *mut C, at: u32) -> u32 {
        // SAFETY: the kernel hands each program a valid context.
        let (start, end) = unsafe { C::bounds(context) };
        let (length, snap) = ((end - start) as u64, (filter().snap as u64).min(MAX_SNAP as u64));
        copied(self.notes, at as u64, start as u64, if length < snap { length } else { snap }) as u32
    }
}

/// A function of its own: bounds that are checked here cannot be lost on the way. Headers and payload are read as any memory of
/// the kernel's, which the verifier lets be of any length.
#[inline(never)]
fn copied(notes: *mut Notes, at: u64, start: u64, length: u64) -> u64 {
    if at > MAX_SNAP as u64 || length > MAX_SNAP as u64 {
        return 0;
    }
    // SAFETY: both numbers are within the room; the helper checks what it reads.
    let result = unsafe {
        bpf_probe_read_kernel(
            (&raw mut (*notes).bytes).cast::<u8>().add(at as usize).cast(),
            length as u32,
            start as *const _,
        )
    };
    if result == 0 { length } else { 0 }
}

impl Listener for Events {
    #[inline(always)]
    fn hear<C: Context>(context: *mut C, note: Note) {
        let event = note.event();
        let kept = event.before != 0;
        let changed = kept && changes(event.outcome);
        if !kept {
            event.before = note.copy(context, 0);
        }
        if changed {
            // SAFETY: the kernel hands each program a valid context.
            event.after_length = unsafe { C::length(context) } as u32;
            if filter().after != 0 {
                event.after = note.copy(context, event.before);
            }
        }
        if submit(note.notes, event.before as u64 + event.after as u64) != 0
            && let Some(told) = TOLD.get_ptr_mut(0)
        {
            // SAFETY: as for the event.
            unsafe { (*told).lost += 1 };
        }
    }
}

/// Whether the frame was written to.
#[inline(always)]
const fn changes(outcome: u32) -> bool {
    outcome == Outcome::Forwarded.index()
        || outcome == Outcome::Accepted.index()
        || outcome == Outcome::Answered.index()
}

/// Hands over the head and so many bytes; not 0: there is no room.
#[inline(never)]
fn submit(notes: *mut Notes, bytes: u64) -> i64 {
    if bytes > ROOM as u64 {
        return 1;
    }
    let size = size_of::<Event>() as u64 + bytes;
    // SAFETY: so many bytes there are.
    unsafe { bpf_ringbuf_output((&raw const EVENTS).cast_mut().cast(), notes.cast(), size, BPF_RB_NO_WAKEUP) as i64 }
}
