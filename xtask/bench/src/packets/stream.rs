//! The frames that all ways to forward get, written anew each time.
//!
//! Traps: frames return to the generator's pool as the gateway left them, so the fields that a router changes (hop
//! limit, checksum) must be written again; and a router drops packets with a wrong header checksum. The driver only
//! adds to words, so the identification offsets what the client's address adds: their sum, and so the checksum, stays
//! the same.

use lb_ebpf::load::{Load, Write};

use crate::{
    driver::Slot,
    frame::{Family, Frame, Shape, Spread},
};

/// What the generator sends.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The driver's parameters.
    pub load: Load,
    /// The first frame.
    pub frame: Frame,
    /// Which flows the packets belong to.
    pub spread: Spread,
}

/// Where the rewritten fields of the IP header start: in IPv4 identification to checksum, in IPv6 all but the
/// addresses.
const IPV4_FIELDS: usize = 14 + 4;
const IPV6_FIELDS: usize = 14;

/// Any number but 0.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    /// Packets of this shape; IPv4 packets have a valid checksum if `spread` has only one service.
    pub fn new(shape: &Shape, spread: Spread, transmit: Slot) -> Self {
        let mut frame = Frame::new(shape);
        let (offset, client) = match shape.family {
            Family::V4 => {
                // All ones minus the client's number, which the address adds: never a borrow.
                frame.bytes[IPV4_FIELDS..IPV4_FIELDS + 2].fill(0xff);
                let checksum = checksum(&frame.bytes[14..34]);
                frame.bytes[24..26].copy_from_slice(&checksum.to_be_bytes());
                (IPV4_FIELDS, u64::MAX)
            }
            Family::V6 => (IPV6_FIELDS, 0),
        };
        let mut load = frame.load(spread, transmit.number(), SEED);
        let mut word = [0; 8];
        word.copy_from_slice(&frame.bytes[offset..offset + 8]);
        let write = Write { base: u64::from_le_bytes(word), client, service: 0, offset: offset as u64 };
        if let Some(end) = load.writes.iter_mut().find(|write| write.offset == 0) {
            *end = write;
        }
        Self { load, frame, spread }
    }
}

/// RFC 1071, of a header whose checksum is still 0.
fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_checksum() {
        // A textbook example of the internet checksum.
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert_eq!(checksum(&header), 0xb861);
    }
}
