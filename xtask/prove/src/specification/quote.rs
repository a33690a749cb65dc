//! DESIGN.md, 5: the packet that an ICMP error quotes. It travels from the service to the client, so its ends are
//! exchanged. Whatever is wrong with it, the error passes as `no_service`.

use crate::{
    assumptions::PLACE_BITS,
    specification::{
        ipv4, ipv6,
        outcome::Outcome::NoService,
        stage::{Family, Flow, Stage},
        upper::{ICMP, PORTS, Upper, is_error, is_kept, portless},
        world::{Halt, Ruled, World},
    },
    term::Term,
};

/// The flow that an error belongs to which came to `destination`.
pub fn flow(world: &mut World<'_>, family: Family, (at, left): (Term, Term), destination: &[Term]) -> Ruled<Stage> {
    let size = world.constant(ICMP);
    let (at, left) = (world.add(at, size), world.minus(left, size));
    // As narrow as places and lengths are: the error holds these bytes, so nothing is cut off.
    let (at, left) = (world.bits(at, 0, PLACE_BITS), world.bits(left, 0, 32));
    match quoted(world, family, at, left, destination) {
        Err(Halt::Outcome(_)) => Err(NoService.into()),
        result => result,
    }
}

fn quoted(world: &mut World<'_>, family: Family, at: Term, left: Term, destination: &[Term]) -> Ruled<Stage> {
    let (upper, client) = match family {
        Family::V4 => in_ipv4(world, at, left, destination)?,
        Family::V6 => in_ipv6(world, at, left, destination)?,
    };
    let service = destination.to_vec();
    if upper.fragment {
        return Ok(portless(world, &upper, client, service));
    }
    if upper.is_icmp(world)? {
        if !upper.holds(world, ICMP)? {
            return Err(NoService.into());
        }
        let kind = world.number(upper.at, 1);
        if is_error(world, family, kind)? || is_kept(world, family, kind)? {
            return Err(NoService.into());
        }
        return Ok(portless(world, &upper, client, service));
    }
    if !upper.has_ports(world)? {
        return Ok(portless(world, &upper, client, service));
    }
    if !upper.holds(world, PORTS)? {
        return Err(NoService.into());
    }
    let ports = world.bytes(upper.at, PORTS);
    Ok(Stage::Flow(Flow {
        family,
        source: client,
        destination: service,
        source_port: ports[2..].to_vec(),
        destination_port: ports[..2].to_vec(),
        protocol: upper.protocol,
        fragment: false,
        has_ports: true,
    }))
}

/// What follows a quoted IP header, and the quoted packet's destination. Its source is the error's destination.
type Quoted = (Upper, Vec<Term>);

/// A quote that ends early is normal. A first fragment goes by its ports, a later one has none.
fn in_ipv4(world: &mut World<'_>, place: Term, left: Term, destination: &[Term]) -> Ruled<Quoted> {
    let least = world.constant(ipv4::HEADER);
    if !world.is_at_least(left, least)? {
        return Err(NoService.into());
    }
    let Some(header) = ipv4::header(world, place)? else { return Err(NoService.into()) };
    if !is_same(world, &header.source, destination)? || !world.is_at_least(left, header.length)? {
        return Err(NoService.into());
    }
    let at = world.add(place, header.length);
    let available = if world.is_below(header.total, left)? { header.total } else { left };
    let left = world.minus(available, header.length);
    let offset = world.bits(header.fragment, 0, 13);
    let fragment = !world.is(offset, 0)?;
    let upper = Upper { family: Family::V4, protocol: header.protocol, at, left, fragment };
    Ok((upper, header.destination))
}

fn in_ipv6(world: &mut World<'_>, place: Term, left: Term, destination: &[Term]) -> Ruled<Quoted> {
    let size = world.constant(ipv6::HEADER);
    if !world.is_at_least(left, size)? {
        return Err(NoService.into());
    }
    let Some(header) = ipv6::header(world, place)? else { return Err(NoService.into()) };
    if !is_same(world, &header.source, destination)? {
        return Err(NoService.into());
    }
    let (at, behind) = (world.add(place, size), world.minus(left, size));
    let left = if world.is_below(header.payload, behind)? { header.payload } else { behind };
    let upper = ipv6::upper(world, at, left, header.next, ipv6::Fragments::Later)?;
    Ok((upper, header.destination))
}

/// The quoted packet's source is where the error came to.
fn is_same(world: &mut World<'_>, one: &[Term], other: &[Term]) -> Ruled<bool> {
    let equal: Vec<_> = one.iter().zip(other).map(|(a, b)| world.domain.terms.equal(*a, *b)).collect();
    let all = world.domain.terms.all(&equal);
    world.ask(all)
}
