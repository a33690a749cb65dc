//! What the benchmark measures the datapath against, and the driver that hands packets to each.
//!
//! Trap: a test run hands the same buffer to every repeat, and after the first it holds what the program made of it. The
//! driver runs first in each repeat, writes addresses afresh, and tail-calls the program that is measured.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

mod egress;
mod sink;

use aya_ebpf::{
    EbpfContext, Global,
    bindings::{BPF_F_MMAPABLE, xdp_action},
    btf_maps::{Array, ProgramArray},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lb_common::{
    flow::{Address, Flow},
    outcome::Outcome,
};
use lb_ebpf::{
    ethernet,
    fast_path::{self, Untagged},
    headers::Ethernet,
    load::Load,
    packet::{Context, Packet, Wire, store},
    parse::{self, Parsed},
};

lb_ebpf::object!();

const MMAPABLE: usize = BPF_F_MMAPABLE as usize;

/// The verifier must see how far into a packet the driver may write.
const LONGEST: usize = 0xff;

/// What the driver writes at the frame's start.
#[repr(C)]
struct Start {
    head: [u8; 8],
    tail: [u8; 4],
}

// SAFETY: all of its fields are bytes.
unsafe impl Wire for Start {}

/// Programs that a driver can call.
type Programs = ProgramArray<256>;

/// The programs that are measured.
#[btf_map]
static PROGRAMS: Programs = Programs::new();

/// What the drivers do.
#[btf_map]
static LOAD: Array<Load, 1, MMAPABLE> = Array::new();

/// The MAC that frames come to, in the first six bytes.
#[unsafe(no_mangle)]
static INTERFACE_MAC: Global<u64> = Global::new(0);

/// The MAC that they are sent to, in the first six bytes.
#[unsafe(no_mangle)]
static SERVER_MAC: Global<u64> = Global::new(0);

/// Makes the next packet and hands it to the program.
#[xdp]
pub fn driver(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    hand_over(&mut packet, &context, &PROGRAMS);
    xdp_action::XDP_ABORTED
}

/// Does nothing: what the driver, the call and the test run take.
#[xdp]
pub fn empty(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// The floor: nothing that forwards at layer 2 can do less.
#[xdp]
pub fn rewrite(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    send(&mut packet).unwrap_or(xdp_action::XDP_ABORTED)
}

/// Reads all that the datapath reads, and sends everything to one MAC.
#[xdp]
pub fn parse_and_rewrite(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context.ctx) };
    match read(&packet) {
        Ok(()) => send(&mut packet).unwrap_or(xdp_action::XDP_ABORTED),
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

/// Reads all that the datapath reads, and passes everything.
#[xdp]
pub fn parse_and_pass(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context.ctx) };
    match read(&packet) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

/// Makes the next packet and hands it to one of `programs`. Returns only if that cannot be done.
#[inline(always)]
fn hand_over(packet: &mut Packet<impl Context>, context: &impl EbpfContext, programs: &Programs) {
    let Some(load) = LOAD.get_ptr_mut(0) else { return };
    // SAFETY: the pointer is to a live value, and one run at a time touches it.
    let load = unsafe { &mut *load };
    if make(packet, load).is_ok() {
        // SAFETY: nothing here is to be dropped. If there is no program, the call returns.
        unsafe { programs.tail_call(context, load.program) };
    }
}

/// Writes the next packet's addresses.
#[inline(always)]
fn make(packet: &mut Packet<impl Context>, load: &mut Load) -> Result<(), Outcome> {
    // Marsaglia's xorshift, 2003: fast, and without a pattern that branch prediction or caches could follow.
    let mut random = load.random;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    load.random = random;
    let client = (((random >> 32) as u32 & load.clients) as u16).to_be() as u64;
    let service = (((random >> 48) as u32 & load.services) as u16).to_be() as u64;

    let mut start = packet.header_mut::<Start>(0)?;
    store(&mut start.head, load.head);
    store(&mut start.tail, load.tail);
    for write in &load.writes {
        if write.offset == 0 {
            break;
        }
        let mut words = packet.header_mut::<[u8; 8]>(write.offset as usize & LONGEST)?;
        store(&mut *words, write.base + client * write.client + service * write.service);
    }
    Ok(())
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
    if let Some(flow) = fast_path::v4::<Untagged>(packet, own) {
        return used(&flow);
    }
    if let Some(flow) = fast_path::v6::<Untagged>(packet, own) {
        return used(&flow);
    }
    let frame = ethernet::own(packet, own)?;
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => used(&flow),
        Parsed::V6(flow) => used(&flow),
    }
}

/// Looks at every field, lest the compiler leave out what reads it. No flow of the benchmark adds up to 0.
#[inline(always)]
fn used<A: Address>(flow: &Flow<A>) -> Result<(), Outcome> {
    let [source, destination] = [flow.source.halves(), flow.destination.halves()];
    let all =
        [source[0], source[1], destination[0], destination[1], flow.source_port as u64, flow.destination_port as u64]
            .into_iter()
            .fold(flow.protocol as u64, u64::wrapping_add);
    if all == 0 || flow.fragment { Err(Outcome::Malformed) } else { Ok(()) }
}
