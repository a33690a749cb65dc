//! The same for what a host sends: a driver and a floor for role `steer`.
//!
//! Trap: a program can only call programs of its own type, and a program array holds those of one type. So there are two of
//! either.

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

use crate::{Programs, SERVER_MAC, hand_over};

/// The programs that are measured.
#[btf_map]
static EGRESS_PROGRAMS: Programs = Programs::new();

/// Makes the next packet and hands it to the program.
#[classifier]
pub fn egress_driver(context: TcContext) -> i32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.skb.skb) };
    hand_over(&mut packet, &context, &EGRESS_PROGRAMS);
    // What no program that is measured returns, and 0 as the other driver's.
    TC_ACT_OK
}

/// Does nothing: what the driver, the call and the test run take.
#[classifier]
pub fn egress_empty(_context: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// The floor: writes what role `steer` writes, the destination alone.
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
