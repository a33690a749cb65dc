//! For role `steer`, whose packets are those that a host sends: a driver, and a floor (the least that such a program
//! has to do).
//!
//! Trap: a program can only call programs of its own type, and a program array holds programs of one type. So drivers
//! and arrays exist twice.

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::{btf_map, classifier},
    programs::TcContext,
};
use lb_common::outcome::Outcome;
use lb_ebpf::{
    headers::Ethernet,
    packet::{Context, Packet, store},
};

use super::{
    driver::{Programs, hand_over},
    macs::SERVER_MAC,
};

/// The programs that are measured.
#[btf_map]
static EGRESS_PROGRAMS: Programs = Programs::new();

/// Makes the next packet and hands it to the program.
#[classifier]
pub fn egress_driver(context: TcContext) -> i32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.skb.skb) };
    hand_over(&mut packet, &context, &EGRESS_PROGRAMS);
    // No measured program returns this, and it is 0 like the other driver's.
    TC_ACT_OK
}

/// Does nothing: measures the driver, the call and the test run alone.
#[classifier]
pub fn egress_empty(_context: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// The floor: writes the destination, as role `steer` does.
#[classifier]
pub fn egress_rewrite(context: TcContext) -> i32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.skb.skb) };
    match address(&mut packet) {
        Ok(()) => TC_ACT_UNSPEC,
        Err(_) => TC_ACT_SHOT,
    }
}

#[inline(always)]
fn address(packet: &mut Packet<impl Context>) -> Result<(), Outcome> {
    let mut header = packet.header_mut::<Ethernet>(0)?;
    let destination = SERVER_MAC.load();
    store(&mut header.destination_head, destination as u32);
    store(&mut header.destination_tail, (destination >> 32) as u16);
    Ok(())
}
