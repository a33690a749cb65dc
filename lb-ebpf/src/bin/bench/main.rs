//! The programs that the benchmark compares the datapath with, and the driver that hands packets to all of them.
//!
//! Trap: a test run uses one buffer for all repeats, so each repeat would see what the one before wrote. The driver
//! runs first in each repeat, writes the addresses again, and tail-calls the program that is measured.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

mod driver;
mod egress;
mod macs;
mod sink;

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::DevMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lb_common::{
    flow::{Address, Flow},
    outcome::Outcome,
};
use lb_ebpf::{
    ethernet::{self, Own},
    fast_path::{self, Untagged},
    headers::Ethernet,
    packet::{Context, Packet, store},
    parse::{self, Parsed},
};

use self::{
    driver::{Programs, hand_over},
    macs::{INTERFACE_MAC, SERVER_MAC},
};

lb_ebpf::object!();

/// The programs that are measured.
#[btf_map]
static PROGRAMS: Programs = Programs::new();

/// The interface that frames are redirected to, the only entry.
#[btf_map]
static EXITS: DevMap<1> = DevMap::new();

/// Makes the next packet and hands it to the program.
#[xdp]
pub fn driver(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    hand_over(&mut packet, &context, &PROGRAMS);
    xdp_action::XDP_ABORTED
}

/// Does nothing: measures the driver, the call and the test run alone.
#[xdp]
pub fn empty(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// The floor: whatever forwards at layer 2 must do at least this.
#[xdp]
pub fn rewrite(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    send(&mut packet).unwrap_or(xdp_action::XDP_ABORTED)
}

/// The floor where frames leave by another interface.
#[xdp]
pub fn redirect(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    match send(&mut packet) {
        Ok(_) => EXITS.redirect(0, 0).unwrap_or(xdp_action::XDP_ABORTED),
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

/// Parses as the datapath does, and sends everything to one MAC.
#[xdp]
pub fn parse_and_rewrite(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    match read(&packet) {
        Ok(()) => send(&mut packet).unwrap_or(xdp_action::XDP_ABORTED),
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

/// Parses as the datapath does, and passes everything.
#[xdp]
pub fn parse_and_pass(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context.ctx) };
    match read(&packet) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

#[inline(always)]
fn send(packet: &mut Packet<impl Context>) -> Result<u32, Outcome> {
    let mut header = packet.header_mut::<Ethernet>(0)?;
    let (destination, source) = (SERVER_MAC.load(), INTERFACE_MAC.load());
    store(&mut header.destination_head, destination as u32);
    store(&mut header.destination_tail, (destination >> 32) as u16);
    store(&mut header.source_head, source as u16);
    store(&mut header.source_tail, (source >> 16) as u32);
    Ok(xdp_action::XDP_TX)
}

#[inline(always)]
fn read(packet: &Packet<impl Context>) -> Result<(), Outcome> {
    let own = INTERFACE_MAC.load();
    if let Some(flow) = fast_path::v4::<Untagged>(packet, Own(own)) {
        return used(&flow);
    }
    if let Some(flow) = fast_path::v6::<Untagged>(packet, Own(own)) {
        return used(&flow);
    }
    let frame = ethernet::read(packet, Own(own))?;
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => used(&flow),
        Parsed::V6(flow) => used(&flow),
    }
}

/// Uses every field, so that the compiler cannot remove the code that reads it. No flow of the benchmark adds up to 0.
#[inline(always)]
fn used<A: Address>(flow: &Flow<A>) -> Result<(), Outcome> {
    let [source, destination] = [flow.source.halves(), flow.destination.halves()];
    let all =
        [source[0], source[1], destination[0], destination[1], flow.source_port as u64, flow.destination_port as u64]
            .into_iter()
            .fold(flow.protocol as u64, u64::wrapping_add);
    if all == 0 || flow.fragment { Err(Outcome::Malformed) } else { Ok(()) }
}
