//! Views for tests.

use super::{counters::Traffic, status::InterfaceView};

/// This many packets of 100 bytes.
pub fn traffic(packets: u64) -> Traffic {
    Traffic { packets, bytes: packets * 100 }
}

/// An ordinary interface.
pub fn interface() -> InterfaceView {
    InterfaceView {
        name: "eth0".into(),
        state: "attached".into(),
        mac: lb_common::mac::Mac([2, 0, 0, 0, 0, 1]),
        index: 2,
        mode: "native".into(),
        multi_buffer: false,
        traced: false,
        link: "bpf_link".into(),
        program_id: 57,
    }
}
