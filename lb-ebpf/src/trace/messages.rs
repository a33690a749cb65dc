//! Recordings as messages (aya-log), for `modlb logs`.
//!
//! Trap: the macro makes hundreds of instructions of each message, and the verifier follows all of their branches; so each is a
//! function of its own. And a message's text must stand in the program, so there is one for each outcome.

use aya_log_ebpf::{debug, error, info, trace, warn};
use lb_common::{control::Control, outcome::Outcome, trace::Event};
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
        if event.counter != Event::NO_SERVER {
            slot(event);
        }
        end(event);
    }
}

#[inline(never)]
fn word(event: &Event) {
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
fn tuple4(event: &Event) {
    debug!(
        event,
        "{:i} port {} to {:i} port {}, protocol {}, piece: {}",
        event.source[1] as u32,
        event.source_port,
        event.destination[1] as u32,
        event.destination_port,
        event.protocol,
        event.flags & Event::FRAGMENT
    );
}

#[inline(never)]
fn tuple6(event: &Event) {
    debug!(
        event,
        "{:i} port {} to {:i} port {}, protocol {}, piece: {}",
        octets(event.source),
        event.source_port,
        octets(event.destination),
        event.destination_port,
        event.protocol,
        event.flags & Event::FRAGMENT
    );
}

#[inline(always)]
fn octets([high, low]: [u64; 2]) -> [u8; 16] {
    let (a, b) = (high.to_be_bytes(), low.to_be_bytes());
    [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]
}

#[inline(never)]
fn service(event: &Event) {
    debug!(
        event,
        "a service's cell takes it: tag {:x}, prefix length {} of 128, {} slots", event.tag, event.prefix, event.slots
    );
}

#[inline(never)]
fn slot(event: &Event) {
    debug!(event, "slot {} of {}: the server with counter {}", event.slot, event.slots, event.counter);
}

/// How it ended.
#[inline(always)]
fn end(event: &Event) {
    const FORWARDED: u32 = Outcome::Forwarded.index();
    const LOCAL: u32 = Outcome::Local.index();
    const NO_SERVER: u32 = Outcome::NoServer.index();
    const UNREACHABLE: u32 = Outcome::Unreachable.index();
    const STANDBY: u32 = Outcome::Standby.index();
    const NOT_OURS: u32 = Outcome::NotOurs.index();
    const NOT_IP: u32 = Outcome::NotIp.index();
    const MALFORMED: u32 = Outcome::Malformed.index();
    const TOO_MANY_HEADERS: u32 = Outcome::TooManyHeaders.index();
    const FRAGMENT: u32 = Outcome::Fragment.index();
    const NO_SERVICE: u32 = Outcome::NoService.index();
    const ACCEPTED: u32 = Outcome::Accepted.index();
    const OTHERS: u32 = Outcome::Others.index();
    const ANSWERED: u32 = Outcome::Answered.index();
    match event.outcome {
        FORWARDED => forwarded(event),
        LOCAL => local(event),
        NO_SERVER => no_server(event),
        UNREACHABLE => unreachable(event),
        STANDBY => standby(event),
        NOT_OURS => not_ours(event),
        NOT_IP => not_ip(event),
        MALFORMED => malformed(event),
        TOO_MANY_HEADERS => too_many_headers(event),
        FRAGMENT => fragment(event),
        NO_SERVICE => no_service(event),
        ACCEPTED => accepted(event),
        OTHERS => others(event),
        ANSWERED => answered(event),
        _ => {}
    }
}

#[inline(never)]
fn unreachable(event: &Event) {
    error!(
        event,
        "unreachable: not sent by interface {} to the server with counter {}: the interface is not attached, or the frame has \
         no room for a VLAN tag",
        event.far,
        event.counter
    );
}

/// A message for an outcome that needs but the frame's length.
macro_rules! message {
    ($name:ident, $level:ident, $text:literal) => {
        #[inline(never)]
        fn $name(event: &Event) {
            $level!(event, $text, event.length);
        }
    };
}

message!(no_server, warn, "no_server: its service has no server that is up; {} bytes dropped");
message!(malformed, warn, "malformed: a header is broken or cut off; {} bytes passed");
message!(too_many_headers, warn, "too_many_headers: more extension headers than are looked through; {} bytes passed");
message!(fragment, info, "fragment: no service takes it, though one has its address and protocol; {} bytes passed");
message!(local, info, "local: the server is this host; {} bytes passed");
message!(standby, info, "standby: nothing is forwarded; {} bytes passed");
message!(answered, info, "answered: who asked was told the group's MAC; {} bytes");
message!(forwarded, debug, "forwarded: {} bytes sent to the server");
message!(accepted, debug, "accepted: {} bytes are this member's");
message!(others, debug, "others: {} bytes are another member's");
message!(no_service, debug, "no_service: no service takes it; {} bytes passed");
message!(not_ours, debug, "not_ours: the frame is addressed to somebody else; {} bytes passed");
message!(not_ip, debug, "not_ip: neither IPv4 nor IPv6; {} bytes passed");
