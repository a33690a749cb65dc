//! The frames of questions and answers: ARP (RFC 826) and neighbour discovery (RFC 4861).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, Icmpv6Type, LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
    icmpv6::{Icmpv6PayloadSlice, NdpOptionSlice},
};
use lb_common::mac::Mac;

/// One question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// The address to look for.
    pub target: IpAddr,
    /// Our own address; `None`: a probe for duplicates.
    pub source: Option<IpAddr>,
}

/// In an Ethernet frame with IPv6 and no extension headers.
pub(super) const NEXT_HEADER_OFFSET: u32 = 14 + 6;
pub(super) const ICMP_OFFSET: u32 = 14 + 40;

/// RFC 4861, 7.1.1: a router would have made it less.
const HOP_LIMIT: u8 = 255;

/// The frame that asks a question.
pub(super) fn frame(mac: Mac, question: &Question) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    match (question.target, question.source) {
        (IpAddr::V4(target), source) => {
            let source = if let Some(IpAddr::V4(source)) = source { source } else { Ipv4Addr::UNSPECIFIED };
            let request = ArpEthIpv4Packet {
                operation: ArpOperation::REQUEST,
                sender_mac: mac.0,
                sender_ipv4: source.octets(),
                target_mac: [0; 6],
                target_ipv4: target.octets(),
            };
            PacketBuilder::ethernet2(mac.0, [0xff; 6]).arp(request.into()).write(&mut frame)
        }
        (IpAddr::V6(target), source) => {
            let source = if let Some(IpAddr::V6(source)) = source { Some(source) } else { None };
            let [.., a, b, c] = target.octets();
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
            let mut payload = target.octets().to_vec();
            // A host without an address must not include its MAC.
            if source.is_some() {
                payload.extend([1, 1]);
                payload.extend(mac.0);
            }
            let source = source.unwrap_or(Ipv6Addr::UNSPECIFIED);
            PacketBuilder::ethernet2(mac.0, [0x33, 0x33, 0xff, a, b, c])
                .ipv6(source.octets(), group.octets(), HOP_LIMIT)
                .icmpv6(Icmpv6Type::NeighborSolicitation)
                .write(&mut frame, &payload)
        }
    }
    .map_err(io::Error::other)?;
    Ok(frame)
}

/// The address and MAC that an ARP reply or an advertisement contains.
pub(super) fn answer(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    match (packet.net?, packet.transport) {
        (NetSlice::Arp(arp), _) => {
            let reply = arp.to_packet().try_eth_ipv4().ok()?;
            (reply.operation == ArpOperation::REPLY).then(|| (reply.sender_ipv4_addr().into(), Mac(reply.sender_mac)))
        }
        (NetSlice::Ipv6(_), Some(TransportSlice::Icmpv6(icmp))) => {
            let Icmpv6PayloadSlice::NeighborAdvertisement(answer) = icmp.payload_slice().ok()? else { return None };
            // The option with the MAC may be missing.
            let option = answer.options_iterator().flatten().find_map(|option| {
                let NdpOptionSlice::TargetLinkLayerAddress(option) = option else { return None };
                option.link_layer_address().try_into().ok()
            });
            let Some(LinkSlice::Ethernet2(ethernet)) = packet.link else { return None };
            Some((answer.target_address().into(), Mac(option.unwrap_or_else(|| ethernet.source()))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn ask(target: &str, source: Option<&str>) -> Vec<u8> {
        let question =
            Question { target: target.parse().unwrap(), source: source.map(|source| source.parse().unwrap()) };
        frame(MAC, &question).unwrap()
    }

    /// RFC 4443, 2.3: sum and checksum over pseudo header and message are all ones.
    fn sum(frame: &[u8]) -> u32 {
        let message = &frame[ICMP_OFFSET as usize..];
        let words = [&frame[22..54], message].concat();
        let words = words.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum = words.sum::<u32>() + 58 + message.len() as u32;
        (sum & 0xffff) + (sum >> 16)
    }

    #[test]
    fn solicitations_are_well_formed() {
        for (source, length) in [(None, 24), (Some("fd00::1"), 32)] {
            let frame = ask("2001:db8::a:b0c", source);
            assert_eq!(frame.len(), 54 + length);
            assert_eq!(frame[..14], [0x33, 0x33, 0xff, 0x0a, 0x0b, 0x0c, 2, 0, 0, 0, 0, 1, 0x86, 0xdd]);
            assert_eq!(frame[14..22], [0x60, 0, 0, 0, 0, length as u8, 58, 255]);
            assert_eq!(frame[38..54], "ff02::1:ff0a:b0c".parse::<Ipv6Addr>().unwrap().octets());
            assert_eq!(sum(&frame), 0xffff);
            assert_eq!((frame[54], frame[55]), (135, 0));
            assert_eq!(frame[62..78], "2001:db8::a:b0c".parse::<Ipv6Addr>().unwrap().octets());
        }
        assert_eq!(ask("fd00::2", Some("fd00::1"))[78..], [1, 1, 2, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn requests_are_well_formed() {
        let frame = ask("10.0.0.11", None);
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[..14], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6]);
        assert_eq!(frame[14..28], [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1]);
        assert_eq!(frame[28..32], [0; 4], "a probe has no source");
        assert_eq!(frame[38..], [10, 0, 0, 11]);
        assert_eq!(ask("10.0.0.11", Some("10.0.0.1"))[28..32], [10, 0, 0, 1]);
    }

    #[test]
    fn answers_are_recognised() {
        let icmp = ICMP_OFFSET as usize;
        let mut reply = ask("10.0.0.1", Some("10.0.0.11"));
        assert_eq!(answer(&reply), None, "a question is none");
        reply[21] = 2;
        assert_eq!(answer(&reply), Some(("10.0.0.11".parse().unwrap(), MAC)));
        let mut advertisement = ask("fd00::11", Some("fd00::1"));
        advertisement[icmp] = 136;
        advertisement[icmp + 24] = 2;
        advertisement[icmp + 31] = 0x77;
        let found = |mac| Some(("fd00::11".parse().unwrap(), mac));
        assert_eq!(answer(&advertisement), found(Mac([2, 0, 0, 0, 0, 0x77])));
        for length in 0..advertisement.len() {
            assert_eq!(answer(&advertisement[..length]), None);
        }
        // Without the option.
        advertisement.truncate(icmp + 24);
        advertisement[19] = 24;
        assert_eq!(answer(&advertisement), found(MAC));
        // Padded, as short frames are.
        reply.resize(60, 0);
        assert_eq!(answer(&reply), Some(("10.0.0.11".parse().unwrap(), MAC)));
    }
}
