//! Feeds a frame to the datapath's parser, compiled for the host, and compares it with the oracle's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::{
    flow::{Flow, V4, V6},
    outcome::Outcome,
};
use lb_ebpf::{
    ethernet::{self, Own},
    packet::{Memory, Packet},
    parse::{Parsed, network},
};

use crate::oracle::packet::{Tuple, read};

/// The MAC of the interface that receives the frames, the same as the tests' gateway has.
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Reads a frame as the datapath does.
///
/// # Panics
///
/// If the oracle reads it differently.
pub fn parse(frame: &[u8]) {
    let datapath = by_the_datapath(frame).map_err(Outcome::name);
    let oracle = read(frame, OWN).map_err(|outcome| outcome.name());
    assert!(
        datapath == oracle,
        "the datapath and the oracle differ\n\nframe: {frame:02x?}\n\noracle: {oracle:?}\n\ndatapath: {datapath:?}"
    );
}

fn by_the_datapath(frame: &[u8]) -> Result<Tuple, Outcome> {
    let [a, b, c, d, e, f] = OWN;
    let mut memory = Memory(frame);
    // SAFETY: `memory` outlives the packet.
    let packet = unsafe { Packet::new(&raw mut memory) };
    let frame = ethernet::read(&packet, Own(u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])))?;
    Ok(match network(&packet, &frame)? {
        Parsed::V4(flow) => tuple(&flow, |V4(address)| Ipv4Addr::from_bits(address).into()),
        Parsed::V6(flow) => tuple(&flow, |V6(digits)| {
            Ipv6Addr::from_bits(digits.iter().fold(0, |bits, digit| bits << 32 | u128::from(*digit))).into()
        }),
    })
}

fn tuple<A: Copy>(flow: &Flow<A>, address: impl Fn(A) -> IpAddr) -> Tuple {
    Tuple {
        source: address(flow.source),
        destination: address(flow.destination),
        protocol: flow.protocol,
        source_port: flow.source_port,
        destination_port: flow.destination_port,
        piece: flow.fragment,
    }
}
