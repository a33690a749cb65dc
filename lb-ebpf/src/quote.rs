//! The packet that an ICMP error quotes → the flow that it belongs to, swapped.
//!
//! A server's answer hit a smaller MTU or a closed port on its way to the client, and the error comes to the service's
//! address. It must go to the server that sent the answer. The quoted packet travels from the service to the client, so
//! its source is the flow's destination.
//!
//! Trap: routers quote as little as 8 bytes behind the IP header (RFC 792), so the quoted header claims more bytes than
//! there are. Whatever is wrong with a quote, the error itself is well-formed: it passes as `no_service`.

use lb_common::{
    flow::{Address, Flow, V4, V6, protocol},
    outcome::Outcome,
};
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use crate::{
    icmp,
    ip::{Header4, Header6},
    packet::{Context, Packet},
    upper::{Fragments, Quote, Upper},
};

/// The flow of a quoted IPv4 packet; `destination` is that of the error.
#[inline(always)]
pub fn ipv4<C: Context>(packet: &Packet<C>, quote: &Quote, destination: V4) -> Result<Flow<V4>, Outcome> {
    let mut flow = to(destination);
    match read4(packet.context(), quote.offset as u32, quote.length as u32, &mut flow) {
        FOUND => Ok(flow),
        _ => Err(Outcome::NoService),
    }
}

/// The flow of a quoted IPv6 packet; `destination` is that of the error.
#[inline(always)]
pub fn ipv6<C: Context>(packet: &Packet<C>, quote: &Quote, destination: V6) -> Result<Flow<V6>, Outcome> {
    let mut flow = to(destination);
    match read6(packet.context(), quote.offset as u32, quote.length as u32, &mut flow) {
        FOUND => Ok(flow),
        _ => Err(Outcome::NoService),
    }
}

/// What `read4` and `read6` return if the quote has a flow.
const FOUND: u64 = 1;

#[inline(always)]
fn to<A: Address>(destination: A) -> Flow<A> {
    Flow { source: destination, destination, source_port: 0, destination_port: 0, protocol: 0, fragment: false }
}

/// Not inlined, so that other packets do not pay for this.
#[inline(never)]
fn read4<C: Context>(context: *mut C, offset: u32, length: u32, flow: &mut Flow<V4>) -> u64 {
    // SAFETY: the context of the packet that the caller has.
    let packet = unsafe { Packet::new(context) };
    let quote = Quote { offset: offset as usize & LIMIT, length: length as usize };
    let Ok(found) = quoted4(&packet, &quote, flow.destination) else { return 0 };
    *flow = found;
    FOUND
}

#[inline(never)]
fn read6<C: Context>(context: *mut C, offset: u32, length: u32, flow: &mut Flow<V6>) -> u64 {
    // SAFETY: the context of the packet that the caller has.
    let packet = unsafe { Packet::new(context) };
    let quote = Quote { offset: offset as usize & LIMIT, length: length as usize };
    let Ok(found) = quoted6(&packet, &quote, flow.destination) else { return 0 };
    *flow = found;
    FOUND
}

/// A bound of offsets: larger than any frame, and small enough for the verifier to accept.
const LIMIT: usize = 0x7fff;

#[inline(always)]
fn quoted4(packet: &Packet<impl Context>, quote: &Quote, destination: V4) -> Result<Flow<V4>, Outcome> {
    quote.holds::<Ipv4Hdr>()?;
    let header = Header4::read(packet, quote.offset)?;
    if header.source != destination || quote.length < header.length {
        return Err(Outcome::NoService);
    }
    let available = quote.length.min(header.total) - header.length;
    let upper = header.upper(quote.offset, available, Fragments::Later);
    flow(packet, &upper, protocol::ICMP, header.source, header.destination)
}

#[inline(always)]
fn quoted6(packet: &Packet<impl Context>, quote: &Quote, destination: V6) -> Result<Flow<V6>, Outcome> {
    quote.holds::<Ipv6Hdr>()?;
    let header = Header6::read(packet, quote.offset)?;
    if header.source != destination {
        return Err(Outcome::NoService);
    }
    let available = (quote.length - size_of::<Ipv6Hdr>()).min(header.payload);
    let upper = header.upper(packet, quote.offset, available, Fragments::Later)?;
    flow(packet, &upper, protocol::ICMPV6, header.source, header.destination)
}

impl Quote {
    /// An error unless the quote holds a whole header of type `T`.
    #[inline(always)]
    fn holds<T>(&self) -> Result<(), Outcome> {
        if self.length < size_of::<T>() { Err(Outcome::NoService) } else { Ok(()) }
    }
}

/// The flow of a quoted packet from `service` to `client`. Errors about errors have none (RFC 1122, 3.2.2 forbids
/// them).
#[inline(always)]
fn flow<A: Address>(
    packet: &Packet<impl Context>,
    upper: &Upper,
    icmp: u8,
    service: A,
    client: A,
) -> Result<Flow<A>, Outcome> {
    if upper.fragment {
        return Ok(upper.flow(client, service, (0, 0)));
    }
    if upper.protocol == icmp {
        let kind = upper.icmp_kind(packet)?;
        if icmp::is_error(icmp, kind) || icmp::is_kept(icmp, kind) {
            return Err(Outcome::NoService);
        }
    }
    let (service_port, client_port) = upper.ports(packet)?;
    Ok(upper.flow(client, service, (client_port, service_port)))
}
