//! Recordings as messages (aya-log), for `modlb logs`.
//!
//! Trap: the macro turns each message into hundreds of instructions, and the verifier follows all of their branches;
//! so no message is inlined. A message's text must be part of the program, so each outcome has its own message.

use aya_log_ebpf::{debug, error, info, trace, warn};
use lb_common::{control::Control, outcome::Outcome, trace::TraceEvent};
use lb_ebpf::packet::Context;

use super::recorder::{Recording, Sink};

/// `modlb logs`.
pub struct Messages;

impl Sink for Messages {
    #[inline(always)]
    fn emit<C: Context>(_context: *mut C, recording: Recording) {
        let event = &*recording.event();
        word(event);
        match event.family {
            4 => tuple4(event),
            6 => tuple6(event),
            _ => {}
        }
        if event.tag != 0 {
            service(event);
        }
        if event.counter != TraceEvent::NO_SERVER {
            slot(event);
        }
        end(event);
    }
}

#[inline(never)]
fn word(event: &TraceEvent) {
    let control = Control(event.control);
    trace!(
        event,
        "{} bytes came by interface {}: half {} of generation {} is in force, its seed {}",
        event.length,
        event.interface,
        control.half(),
        control.generation(),
        control.seed()
    );
}

#[inline(never)]
fn tuple4(event: &TraceEvent) {
    debug!(
        event,
        "{:i} port {} to {:i} port {}, protocol {}, fragment: {}",
        event.source[1] as u32,
        event.source_port,
        event.destination[1] as u32,
        event.destination_port,
        event.protocol,
        event.flags & TraceEvent::FRAGMENT
    );
}

#[inline(never)]
fn tuple6(event: &TraceEvent) {
    debug!(
        event,
        "{:i} port {} to {:i} port {}, protocol {}, fragment: {}",
        octets(event.source),
        event.source_port,
        octets(event.destination),
        event.destination_port,
        event.protocol,
        event.flags & TraceEvent::FRAGMENT
    );
}

/// Trap: taken apart byte by byte, they fill so much of the stack that Linux 6.1 refuses the program of role keep.
#[inline(always)]
fn octets([high, low]: [u64; 2]) -> [u8; 16] {
    ((high as u128) << 64 | low as u128).to_be_bytes()
}

#[inline(never)]
fn service(event: &TraceEvent) {
    debug!(
        event,
        "a service's cell takes it: tag {:x}, prefix length {} of 128, {} slots", event.tag, event.prefix, event.slots
    );
}

#[inline(never)]
fn slot(event: &TraceEvent) {
    debug!(event, "slot {} of {}: the server with counter {}", event.slot, event.slots, event.counter);
}

macro_rules! messages {
    ($(
        $variant:ident $name:literal $action:ident $group:ident $frame:ident
        $meaning:literal
        $level:ident $message:literal [$($field:ident)+];
    )+) => {
        /// The message about the outcome.
        #[inline(always)]
        fn end(event: &TraceEvent) {
            $(if event.outcome == Outcome::$variant.index() {
                #[inline(never)]
                fn message(event: &TraceEvent) {
                    $level!(event, $message, $(event.$field),+);
                }
                return message(event);
            })+
        }
    };
}

lb_common::outcomes!(messages);
