//! What the benchmark measures the datapath against.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

/// The floor of floors: sends the frame back as it is.
#[xdp]
pub fn floor_return(_context: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The BPF licence: helpers marked GPL-only ask for it.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
