//! Records a packet on its way, and emits the recording if it fits the filter.
//!
//! Trap: observing must not change behaviour. If there is no room for an event, it is dropped and counted, and the
//! packet goes on as usual.

use core::marker::PhantomData;

use aya_ebpf::helpers::{bpf_ktime_get_ns, generated::bpf_probe_read_kernel};
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    formula::{self, Formula},
    outcome::Outcome,
    table::{NextHop, ServiceCell},
    trace::{MAX_SNAP, TraceEvent},
};
use lb_ebpf::packet::Context;

use super::maps::{self, Scratch};
use crate::datapath::{maps::interface, observer::Observer};

/// Where recordings go.
pub trait Sink {
    /// The packet is done, and fits the filter.
    fn emit<C: Context>(context: *mut C, recording: Recording);
}

/// What is known of one packet so far.
#[derive(Clone, Copy)]
pub struct Recording {
    scratch: *mut Scratch,
}

impl Recording {
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "there is one program on this CPU, and none of the references outlives a statement"
    )]
    pub fn event(&self) -> &mut TraceEvent {
        // SAFETY: the pointer is to this CPU's own value, which nothing else touches while the program runs.
        unsafe { &mut (*self.scratch).event }
    }

    /// The event and the bytes that follow it, for helpers.
    #[inline(always)]
    pub fn scratch(&self) -> *mut Scratch {
        self.scratch
    }

    /// Copies the first bytes of the frame behind the first `at` bytes, which are copied already. Returns how many.
    #[inline(always)]
    pub fn copy<C: Context>(&self, context: *mut C, at: u32) -> u32 {
        // SAFETY: the kernel hands each program a valid context.
        let (start, end) = unsafe { C::bounds(context) };
        let (length, snap) = ((end - start) as u64, (maps::filter().snap as u64).min(MAX_SNAP as u64));
        copy(self.scratch, at as u64, start as u64, if length < snap { length } else { snap }) as u32
    }
}

/// Not inlined: bounds that are checked here cannot be lost on the way. Headers and payload are read as any memory of
/// the kernel's, which the verifier lets be of any length.
#[inline(never)]
fn copy(scratch: *mut Scratch, at: u64, start: u64, length: u64) -> u64 {
    if at > MAX_SNAP as u64 || length > MAX_SNAP as u64 {
        return 0;
    }
    // SAFETY: both numbers are within the room; the helper checks what it reads.
    let result = unsafe {
        bpf_probe_read_kernel(
            (&raw mut (*scratch).bytes).cast::<u8>().add(at as usize).cast(),
            length as u32,
            start as *const _,
        )
    };
    if result == 0 { length } else { 0 }
}

/// Records, and emits to `S`.
pub struct Recorder<S> {
    recording: Recording,
    sink: PhantomData<S>,
}

impl<S> Clone for Recorder<S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Recorder<S> {}

impl<S: Sink> Observer for Recorder<S> {
    const FAST_PATH: bool = false;

    #[inline(always)]
    fn start<C: Context>(context: *mut C, control: Control) -> Option<Self> {
        let recording = Recording { scratch: maps::scratch()? };
        // SAFETY: a helper that only reads.
        let time = unsafe { bpf_ktime_get_ns() };
        // SAFETY: the kernel hands each program a valid context.
        let (length, frames) = unsafe { (C::length(context), C::frames(context)) };
        *recording.event() = TraceEvent {
            time,
            control: control.0,
            interface: interface() as u32,
            length: length as u32,
            frames: frames as u32,
            counter: TraceEvent::NO_SERVER,
            ..TraceEvent::default()
        };
        Some(Self { recording, sink: PhantomData })
    }

    #[inline(always)]
    fn flow<A: Address>(self, flow: &Flow<A>) {
        let event = self.recording.event();
        event.source = flow.source.halves();
        event.destination = flow.destination.halves();
        event.source_port = flow.source_port;
        event.destination_port = flow.destination_port;
        event.protocol = flow.protocol;
        event.family = A::FAMILY;
        event.flags = if flow.fragment { TraceEvent::FRAGMENT } else { 0 };
    }

    #[inline(always)]
    fn service(self, service: &ServiceCell) {
        let event = self.recording.event();
        event.tag = service.tag;
        event.prefix = service.prefix;
        event.slots = service.slots;
        if matches!(service.formula(), Formula::FiveTuple) {
            event.flags |= TraceEvent::FIVE_TUPLE;
        }
    }

    /// Trap: that T is not 0 is known by now, but not to the compiler, which would emit a call that panics.
    #[inline(always)]
    fn server<A: Address>(self, flow: &Flow<A>, service: &ServiceCell, counter: u64) {
        let (event, slots) = (self.recording.event(), service.slots);
        if slots != 0 {
            event.slot = formula::slot(flow, service.formula(), slots, &service.powers);
        }
        event.counter = counter as u32;
    }

    #[inline(always)]
    fn egress(self, interface: u32) {
        self.recording.event().egress = if interface == NextHop::SAME_PORT { 0 } else { interface };
    }

    /// Keeps the frame as it came.
    #[inline(always)]
    fn before_write<C: Context>(self, context: *mut C) {
        let event = self.recording.event();
        if maps::filter().takes(event) {
            event.before = self.recording.copy(context, 0);
        }
    }

    #[inline(always)]
    fn end<C: Context>(self, context: *mut C, outcome: Outcome, action: u32) {
        let event = self.recording.event();
        (event.outcome, event.action) = (outcome.index(), action);
        let Some(counters) = maps::counters() else { return };
        // SAFETY: as for the event.
        let counters = unsafe { &mut *counters };
        counters.seen += 1;
        let filter = maps::filter();
        if filter.outcomes >> outcome.index() & 1 == 0 || !filter.takes(event) {
            return;
        }
        let sample = filter.sample as u64;
        let turn = sample == 0 || counters.fit % sample == 0;
        counters.fit += 1;
        if turn {
            S::emit(context, self.recording);
        }
    }
}
