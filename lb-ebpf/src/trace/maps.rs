//! The maps of the traced programs.

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    macros::btf_map,
};
use lb_common::trace::{Filter, MAX_SNAP, TraceCounters, TraceEvent};

/// The events. User space sets the size.
#[btf_map]
static EVENTS: RingBuf<u8, 4096> = RingBuf::new();

/// Where an event is put together: the stack is too small.
#[btf_map]
static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// What was counted.
#[btf_map]
static TRACE_COUNTERS: PerCpuArray<TraceCounters, 1> = PerCpuArray::new();

/// Which packets are emitted.
#[unsafe(no_mangle)]
static FILTER: Filter = Filter::ALL;

/// Room for the first bytes of a frame, as it came and as it left.
pub const ROOM: usize = 2 * MAX_SNAP as usize;

/// An event and the bytes that follow it.
#[repr(C)]
pub struct Scratch {
    pub event: TraceEvent,
    pub bytes: [u8; ROOM],
}

/// The ring buffer's address, as helpers take it.
#[inline(always)]
pub fn events() -> *mut core::ffi::c_void {
    (&raw const EVENTS).cast_mut().cast()
}

/// This CPU's scratch room.
#[inline(always)]
pub fn scratch() -> Option<*mut Scratch> {
    SCRATCH.get_ptr_mut(0)
}

/// This CPU's counters.
#[inline(always)]
pub fn counters() -> Option<*mut TraceCounters> {
    TRACE_COUNTERS.get_ptr_mut(0)
}

#[inline(always)]
pub fn filter() -> Filter {
    // SAFETY: a valid value; volatile, since user space writes another before the program is loaded.
    unsafe { (&raw const FILTER).read_volatile() }
}
