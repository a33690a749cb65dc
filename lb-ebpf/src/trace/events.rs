//! Recordings as events in a ring buffer, for `modlb trace`.

use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use lb_common::{outcome::Outcome, trace::TraceEvent};
use lb_ebpf::packet::Context;

use super::{
    maps::{self, ROOM, Scratch},
    recorder::{Recording, Sink},
};

/// User space polls: with a wake-up for each event, a busy balancer would do little else.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// `modlb trace`.
pub struct Events;

impl Sink for Events {
    #[inline(always)]
    fn emit<C: Context>(context: *mut C, recording: Recording) {
        let event = recording.event();
        let kept = event.before != 0;
        let changed = kept && is_rewritten(event.outcome);
        if !kept {
            event.before = recording.copy(context, 0);
        }
        if changed {
            // SAFETY: the kernel hands each program a valid context.
            event.after_length = unsafe { C::length(context) } as u32;
            if maps::filter().after != 0 {
                event.after = recording.copy(context, event.before);
            }
        }
        if submit(recording.scratch(), event.before as u64 + event.after as u64) != 0
            && let Some(counters) = maps::counters()
        {
            // SAFETY: the pointer is to this CPU's own value, which nothing else touches while the program runs.
            unsafe { (*counters).lost += 1 };
        }
    }
}

/// [`Outcome::is_rewritten`] of an outcome's number.
#[inline(always)]
const fn is_rewritten(outcome: u32) -> bool {
    const REWRITTEN: u32 = {
        let (mut bits, mut index) = (0, 0);
        while index < Outcome::ALL.len() {
            bits |= (Outcome::ALL[index].is_rewritten() as u32) << index;
            index += 1;
        }
        bits
    };
    REWRITTEN >> outcome & 1 != 0
}

/// Hands over the event and the `bytes` bytes that follow it; not 0: there is no room.
#[inline(never)]
fn submit(scratch: *mut Scratch, bytes: u64) -> i64 {
    if bytes > ROOM as u64 {
        return 1;
    }
    let size = size_of::<TraceEvent>() as u64 + bytes;
    // SAFETY: the scratch room has at least this size.
    unsafe { bpf_ringbuf_output(maps::events(), scratch.cast(), size, BPF_RB_NO_WAKEUP) as i64 }
}
