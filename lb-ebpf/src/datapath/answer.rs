//! Answers ARP requests and neighbour solicitations for services' addresses with the group's MAC.
//!
//! Trap: the group's MAC is in the answer's payload, not its source. A frame's source must be the host's own MAC;
//! otherwise switches would learn the group's MAC on one port and stop flooding it.

use lb_common::{
    control::Control,
    flow::{V4, V6, protocol},
    outcome::Outcome,
};
use lb_ebpf::{
    ethernet::{self, Everyone, ether_type},
    headers::{Arp, Ethernet, NeighbourPacket, Solicitation},
    packet::{Context, Packet, load, store},
};

use super::{maps, rewrite, service};

/// Turns a question for an announced address into the answer. `None`: the packet is no such question, and unchanged.
#[inline(always)]
pub fn answer(packet: &mut Packet<impl Context>, control: Control) -> Option<Outcome> {
    let frame = ethernet::read(packet, Everyone).and_then(|frame| ethernet::untag(packet, &frame)).ok()?;
    let answered = match frame.ether_type {
        ether_type::ARP => arp(packet, frame.offset, control),
        ether_type::IPV6 => solicitation(packet, frame.offset, control),
        _ => return None,
    };
    answered.ok().map(|()| Outcome::Answered)
}

/// The error of a packet that is not answered. It goes no further than [`answer`].
type NotAsked = Outcome;
const NOT_ASKED: NotAsked = Outcome::NoService;

/// RFC 826. A request whose sender is the target announces an address and asks nothing.
#[inline(always)]
fn arp(packet: &mut Packet<impl Context>, offset: usize, control: Control) -> Result<(), NotAsked> {
    /// Ethernet and IPv4; addresses of 6 and 4 bytes, request.
    const REQUEST: (u32, u32) = (u32::from_ne_bytes([0, 1, 8, 0]), u32::from_ne_bytes([6, 4, 0, 1]));
    const REPLY: u32 = u32::from_ne_bytes([6, 4, 0, 2]);

    let mut header = packet.header_mut::<Arp>(offset)?;
    let (kind, operation, sender_head, sender_tail, sender, target): (u32, u32, u32, u16, u32, u32) = (
        load(&header.kind),
        load(&header.operation),
        load(&header.sender_mac_head),
        load(&header.sender_mac_tail),
        load(&header.sender),
        load(&header.target),
    );
    if (kind, operation) != REQUEST || sender == target {
        return Err(NOT_ASKED);
    }
    if !service::announces(V4(u32::from_be(target)), control) {
        return Err(NOT_ASKED);
    }
    let group = maps::group_mac();
    store(&mut header.operation, REPLY);
    store(&mut header.sender_mac_head, group as u32);
    store(&mut header.sender_mac_tail, (group >> 32) as u16);
    store(&mut header.sender, target);
    store(&mut header.target_mac_head, sender_head);
    store(&mut header.target_mac_tail, sender_tail);
    store(&mut header.target, sender);
    back(packet)
}

/// RFC 4861, 4.3 and 4.4. A solicitation from the unspecified address looks for duplicates and is not answered.
#[inline(always)]
fn solicitation(packet: &mut Packet<impl Context>, offset: usize, control: Control) -> Result<(), NotAsked> {
    const SOLICITATION: u16 = u16::from_ne_bytes([135, 0]);
    const ADVERTISEMENT: u16 = u16::from_ne_bytes([136, 0]);
    /// Solicited, override.
    const FLAGS: u32 = u32::from_ne_bytes([0x60, 0, 0, 0]);
    /// The option "target link-layer address", one unit of eight bytes long.
    const TARGET_MAC: u16 = u16::from_ne_bytes([2, 1]);
    /// The length of an advertisement with that option. A solicitation with the source's option is as long.
    const LENGTH: u16 = size_of::<Solicitation>() as u16;

    let mut question = packet.header_mut::<NeighbourPacket>(offset)?;
    let NeighbourPacket { ip, message } = &mut *question;
    let (next, hops, length, source, kind, target): (u8, u8, u16, [u32; 4], u16, [u32; 4]) = (
        load(&ip.next_hdr),
        load(&ip.hop_limit),
        load(&ip.payload_len),
        load(&ip.src_addr),
        load(&message.kind),
        load(&message.target),
    );
    if next != protocol::ICMPV6 || kind != SOLICITATION || hops != 255 || u16::from_be(length) < LENGTH {
        return Err(NOT_ASKED);
    }
    if source == [0; 4] || !service::announces(V6(target.map(u32::from_be)), control) {
        return Err(NOT_ASKED);
    }
    let group = maps::group_mac();
    let option = [TARGET_MAC as u32 | (group as u32) << 16, (group >> 16) as u32];
    let head = ADVERTISEMENT as u32;
    // RFC 8200, 8.1: the checksum covers addresses, length and protocol as well. The target is also the source.
    let pseudo = [(LENGTH as u32).to_be(), (protocol::ICMPV6 as u32).to_be()];
    let words = [head, FLAGS, option[0], option[1], pseudo[0], pseudo[1]];
    let sum = sum(&words) + 2 * sum(&target) + self::sum(&source);
    store(&mut ip.payload_len, LENGTH.to_be());
    store(&mut ip.src_addr, target);
    store(&mut ip.dst_addr, source);
    store(&mut message.kind, ADVERTISEMENT);
    store(&mut message.checksum, checksum(sum));
    store(&mut message.flags, FLAGS);
    store(&mut message.option_head, option[0]);
    store(&mut message.option_tail, option[1]);
    back(packet)
}

/// The sum of words, in memory order.
#[inline(always)]
fn sum<const N: usize>(words: &[u32; N]) -> u64 {
    let mut sum = 0;
    for word in words {
        sum += *word as u64;
    }
    sum
}

/// The Internet checksum for this sum, in memory order: the sum may be taken in either byte order (RFC 1071, 2).
#[inline(always)]
fn checksum(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// Addresses the frame to its sender.
#[inline(always)]
fn back(packet: &mut Packet<impl Context>) -> Result<(), NotAsked> {
    let header = packet.header::<Ethernet>(0)?;
    let (head, tail): (u16, u32) = (load(&header.source_head), load(&header.source_tail));
    rewrite::address(packet, head as u64 | (tail as u64) << 16, maps::interface_mac())
}
