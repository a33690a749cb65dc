//! Reads the kind of packet that nearly all are: unfragmented TCP or UDP with no IPv4 options, no IPv6 extension
//! headers and at most one VLAN tag.
//!
//! A few wide loads and comparisons recognise them, all behind one check of the frame's length. Anything else,
//! malformed packets included, is left to [`crate::parse`], which starts over.
//!
//! Trap: this is a shortcut and makes no rules. `parse` must read every packet that is accepted here the same way; the
//! tests' oracle, which knows no shortcut, holds both to it.

use lb_common::flow::{Address, Flow, V4, V6, protocol};

use crate::{
    ethernet::{Addressee, Own, ether_type},
    hint::likely,
    packet::{Context, Packet, Wire, load},
    parse::Parsed,
};

/// The VLAN tags that a packet may have here.
pub trait Tags: Wire {
    /// Whether they are tags.
    fn are_tags(&self) -> bool;
}

/// None.
pub type Untagged = [u8; 0];

/// One: its EtherType and control information (IEEE 802.1Q, 9.6).
pub type Tagged = [u8; 4];

impl Tags for Untagged {
    #[inline(always)]
    fn are_tags(&self) -> bool {
        true
    }
}

impl Tags for Tagged {
    #[inline(always)]
    fn are_tags(&self) -> bool {
        let ether_type: u16 = load(self);
        matches!(u16::from_be(ether_type), ether_type::VLAN | ether_type::SERVICE_VLAN)
    }
}

/// The start of a frame with an IPv4 packet.
#[repr(C)]
struct Ipv4Frame<T> {
    /// Destination and the source's first two bytes.
    addresses: [u8; 8],
    source_tail: [u8; 4],
    tags: T,
    /// EtherType, version and header length, differentiated services.
    kind: [u8; 4],
    total: [u8; 2],
    identification: [u8; 2],
    /// Fragment flags and offset, time to live, protocol.
    fragment: [u8; 4],
    checksum: [u8; 2],
    source: [u8; 4],
    destination: [u8; 4],
    ports: [u8; 4],
}

/// The start of a frame with an IPv6 packet.
#[repr(C)]
struct Ipv6Frame<T> {
    /// Destination and the source's first two bytes.
    addresses: [u8; 8],
    source_tail: [u8; 4],
    tags: T,
    /// EtherType, version, traffic class and the start of the flow label.
    kind: [u8; 4],
    label: [u8; 2],
    payload: [u8; 2],
    next_header: u8,
    hop_limit: u8,
    source_high: [u8; 8],
    source_low: [u8; 8],
    destination_high: [u8; 8],
    destination_low: [u8; 8],
    ports: [u8; 4],
}

// SAFETY: all of its fields are bytes.
unsafe impl<T: Tags> Wire for Ipv4Frame<T> {}
// SAFETY: all of its fields are bytes.
unsafe impl<T: Tags> Wire for Ipv6Frame<T> {}

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const PORTS: usize = 4;

const _: () = assert!(size_of::<Ipv4Frame<Untagged>>() == ETHERNET + IPV4 + PORTS);
const _: () = assert!(size_of::<Ipv6Frame<Untagged>>() == ETHERNET + IPV6 + PORTS);

/// Compares some bits of four bytes of a packet.
struct Pattern {
    mask: u32,
    value: u32,
}

impl Pattern {
    const fn new(mask: [u8; 4], value: [u8; 4]) -> Self {
        Self { mask: u32::from_ne_bytes(mask), value: u32::from_ne_bytes(value) }
    }

    #[inline(always)]
    const fn fits(&self, word: u32) -> bool {
        word & self.mask == self.value
    }
}

/// IPv4 with a header of five words.
const KIND4: Pattern = Pattern::new([0xff, 0xff, 0xff, 0], [0x08, 0x00, 0x45, 0]);
/// IPv6.
const KIND6: Pattern = Pattern::new([0xff, 0xff, 0xf0, 0], [0x86, 0xdd, 0x60, 0]);
/// The protocol, and whether this is a fragment: more fragments or an offset (RFC 791, 3.1).
const FRAGMENT: u32 = u32::from_ne_bytes([0x3f, 0xff, 0, 0xff]);
const WHOLE_TCP: u32 = u32::from_ne_bytes([0, 0, 0, protocol::TCP]);
const WHOLE_UDP: u32 = u32::from_ne_bytes([0, 0, 0, protocol::UDP]);

/// What is done with a packet of any of these kinds.
pub trait Stage<C> {
    /// What becomes of the packet.
    type Done;

    /// Decides; `None`: the general path has to.
    fn decide<A: Address>(self, packet: &mut Packet<C>, flow: &Flow<A>) -> Option<Self::Done>;
}

/// Hands a packet of any of these kinds that is addressed so to a stage. The most frequent come first.
#[inline(always)]
pub fn decide<C: Context, S: Stage<C>>(packet: &mut Packet<C>, addressee: impl Addressee, stage: S) -> Option<S::Done> {
    if let Some(flow) = v4::<Untagged>(packet, addressee) {
        stage.decide(packet, &flow)
    } else if let Some(flow) = v6::<Untagged>(packet, addressee) {
        stage.decide(packet, &flow)
    } else if let Some(flow) = v4::<Tagged>(packet, addressee) {
        stage.decide(packet, &flow)
    } else if let Some(flow) = v6::<Tagged>(packet, addressee) {
        stage.decide(packet, &flow)
    } else {
        None
    }
}

/// The tuple of a packet of any of these kinds that is addressed to an interface with this MAC.
#[inline(always)]
pub fn any(packet: &Packet<impl Context>, own: u64) -> Option<Parsed> {
    (v4::<Untagged>(packet, Own(own)).map(Parsed::V4))
        .or_else(|| v6::<Untagged>(packet, Own(own)).map(Parsed::V6))
        .or_else(|| v4::<Tagged>(packet, Own(own)).map(Parsed::V4))
        .or_else(|| v6::<Tagged>(packet, Own(own)).map(Parsed::V6))
}

/// The tuple of an IPv4 packet that is addressed so.
#[inline(always)]
pub fn v4<T: Tags>(packet: &Packet<impl Context>, addressee: impl Addressee) -> Option<Flow<V4>> {
    let header = packet.header::<Ipv4Frame<T>>(0).ok()?;
    let (kind, addresses, fragment, total): (u32, u64, u32, u16) =
        (load(&header.kind), load(&header.addresses), load(&header.fragment), load(&header.total));
    let tagged = header.tags.are_tags();
    if !likely(KIND4.fits(kind)) || !likely(tagged) || !likely(addressee.takes_start(addresses)) {
        return None;
    }
    let fragment = fragment & FRAGMENT;
    let [.., protocol] = fragment.to_ne_bytes();
    let total = u16::from_be(total) as usize;
    if !likely(matches!(fragment, WHOLE_TCP | WHOLE_UDP))
        || !likely(total >= IPV4 + PORTS)
        || !likely(ETHERNET + size_of::<T>() + total <= packet.len())
    {
        return None;
    }
    let (source, destination, ports): (u32, u32, u32) =
        (load(&header.source), load(&header.destination), load(&header.ports));
    Some(flow(V4(u32::from_be(source)), V4(u32::from_be(destination)), ports, protocol))
}

/// The same for IPv6.
#[inline(always)]
pub fn v6<T: Tags>(packet: &Packet<impl Context>, addressee: impl Addressee) -> Option<Flow<V6>> {
    let header = packet.header::<Ipv6Frame<T>>(0).ok()?;
    let (kind, addresses, payload, protocol): (u32, u64, u16, u8) =
        (load(&header.kind), load(&header.addresses), load(&header.payload), load(&header.next_header));
    let tagged = header.tags.are_tags();
    if !likely(KIND6.fits(kind))
        || !likely(tagged)
        || !likely(addressee.takes_start(addresses))
        || !likely(is_fast(protocol))
    {
        return None;
    }
    let payload = u16::from_be(payload) as usize;
    if !likely(payload >= PORTS) || !likely(ETHERNET + size_of::<T>() + IPV6 + payload <= packet.len()) {
        return None;
    }
    let (source, destination, ports): ([u64; 2], [u64; 2], u32) = (
        [load(&header.source_high), load(&header.source_low)],
        [load(&header.destination_high), load(&header.destination_low)],
        load(&header.ports),
    );
    Some(flow(digits(source), digits(destination), ports, protocol))
}

#[inline(always)]
const fn is_fast(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP)
}

/// An address that was read as two numbers.
#[inline(always)]
fn digits(halves: [u64; 2]) -> V6 {
    let [high, low] = halves.map(u64::from_be);
    V6([(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32])
}

#[inline(always)]
fn flow<A>(source: A, destination: A, ports: u32, protocol: u8) -> Flow<A> {
    let ports = u32::from_be(ports);
    let (source_port, destination_port) = ((ports >> 16) as u16, ports as u16);
    Flow { source, destination, source_port, destination_port, protocol, fragment: false }
}
