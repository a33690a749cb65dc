//! The packet that an ICMP error quotes → the flow that it belongs to, swapped.
//!
//! A server's answer met a smaller MTU or a closed door on its way to the client, and the error comes to the service's
//! address: it is for the server that sent the answer. The quoted packet travels from the service to the client, so its
//! source is the flow's destination.
//!
//! Trap: routers quote as little as 8 bytes behind the IP header (RFC 792), so the quote's lengths say more than there is.
//! Whatever is wrong with a quote, the error itself is well-formed: it passes as `no_service`.

use lb_common::{
    flow::{Address, Flow, V4, V6, protocol},
    outcome::Outcome,
};
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use crate::{
    icmp,
    packet::{Context, Packet},
    parse::{Header4, Header6, Pieces, Quote, Upper},
};

/// The flow of a quoted IPv4 packet; `destination` is that of the error.
#[inline(always)]
pub fn ipv4(packet: &Packet<impl Context>, quote: &Quote, destination: V4) -> Result<Flow<V4>, Outcome> {
    read4(packet, quote, destination).map_err(|_| Outcome::NoService)
}

/// The flow of a quoted IPv6 packet; `destination` is that of the error.
#[inline(always)]
pub fn ipv6(packet: &Packet<impl Context>, quote: &Quote, destination: V6) -> Result<Flow<V6>, Outcome> {
    read6(packet, quote, destination).map_err(|_| Outcome::NoService)
}

#[inline(always)]
fn read4(packet: &Packet<impl Context>, quote: &Quote, destination: V4) -> Result<Flow<V4>, Outcome> {
    quote.holds::<Ipv4Hdr>()?;
    let header = Header4::read(packet, quote.offset)?;
    if header.source != destination || quote.length < header.length {
        return Err(Outcome::NoService);
    }
    let available = quote.length.min(header.total) - header.length;
    let upper = header.upper(quote.offset, available, Pieces::Later);
    flow(packet, &upper, protocol::ICMP, header.source, header.destination)
}

#[inline(always)]
fn read6(packet: &Packet<impl Context>, quote: &Quote, destination: V6) -> Result<Flow<V6>, Outcome> {
    quote.holds::<Ipv6Hdr>()?;
    let header = Header6::read(packet, quote.offset)?;
    if header.source != destination {
        return Err(Outcome::NoService);
    }
    let available = (quote.length - size_of::<Ipv6Hdr>()).min(header.payload);
    let upper = header.upper(packet, quote.offset, available, Pieces::Later)?;
    flow(packet, &upper, protocol::ICMPV6, header.source, header.destination)
}

impl Quote {
    /// An error unless a header of type `T` was quoted whole.
    #[inline(always)]
    fn holds<T>(&self) -> Result<(), Outcome> {
        if self.length < size_of::<T>() { Err(Outcome::NoService) } else { Ok(()) }
    }
}

/// The flow of a quoted packet from `service` to `client`. Errors about errors are nobody's (RFC 1122, 3.2.2: there must
/// be none).
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
