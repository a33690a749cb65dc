//! The far end of the benchmark's wire: counts and records the frames that arrive.

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, PerCpuArray},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use lb_common::outcome::Outcome;
use lb_ebpf::{
    arrival::{RECORD_BYTES, RECORDS, Record, SERVERS},
    headers::Ethernet,
    packet::{Context, Packet, load},
};

use super::macs::INTERFACE_MAC;

/// How many frames arrived for each server, and in the last place how many that no balancer sent to a server.
#[btf_map]
static ARRIVED: PerCpuArray<u64, { SERVERS + 1 }> = PerCpuArray::new();

/// The first frames.
#[btf_map]
static RECORDED: Array<Record, RECORDS> = Array::new();

/// How many of those there are.
#[btf_map]
static RECORDED_COUNT: Array<u32, 1> = Array::new();

/// Counts a frame and drops it.
#[xdp]
pub fn sink(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context.ctx) };
    count(&packet)
}

/// The same, and records what a balancer sent. Frames must come one at a time, or some are lost.
#[xdp]
pub fn record(context: XdpContext) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context.ctx) };
    if server(&packet).is_ok() {
        keep(&packet);
    }
    count(&packet)
}

#[inline(always)]
fn count(packet: &Packet<impl Context>) -> u32 {
    let place = server(packet).unwrap_or(SERVERS as u32);
    if let Some(counter) = ARRIVED.get_ptr_mut(place) {
        // SAFETY: the pointer is to this CPU's live value.
        unsafe { *counter += 1 };
    }
    xdp_action::XDP_DROP
}

/// The number of the server that a frame was sent to.
#[inline(always)]
fn server(packet: &Packet<impl Context>) -> Result<u32, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    let (source_head, source_tail): (u16, u32) = (load(&header.source_head), load(&header.source_tail));
    let (head, tail): (u32, u16) = (load(&header.destination_head), load(&header.destination_tail));
    let source = u64::from(source_head) | u64::from(source_tail) << 16;
    // Servers' MACs start with 02:00.
    if head as u16 != 2 || source != INTERFACE_MAC.load() {
        return Err(Outcome::NotOurs);
    }
    Ok((tail >> 8).into())
}

#[inline(always)]
fn keep(packet: &Packet<impl Context>) {
    let Some(count) = RECORDED_COUNT.get_ptr_mut(0) else { return };
    // SAFETY: the pointer is to a live value.
    let place = unsafe { *count };
    let Some(record) = RECORDED.get_ptr_mut(place) else { return };
    for word in 0..RECORD_BYTES / 8 {
        let Ok(bytes) = packet.header::<[u8; 8]>(8 * word) else { break };
        // SAFETY: `word` is within the record, which is a live value.
        unsafe { (*record)[word] = load(&*bytes) };
    }
    // SAFETY: as above.
    unsafe { *count = place + 1 };
}
