//! DESIGN.md, 5: from the IP header to the flow.

use crate::{
    specification::{
        ipv4, ipv6,
        outcome::Outcome::{Malformed, NoService},
        stage::{Family, Flow, Stage},
        upper::{ICMP, PORTS, Upper, is_error, is_kept, portless},
        world::{Ruled, World},
    },
    term::Term,
};

/// The flow of the packet whose header starts there.
pub fn packet(world: &mut World<'_>, family: Family, place: u64) -> Ruled<Stage> {
    match family {
        Family::V4 => v4(world, place),
        Family::V6 => v6(world, place),
    }
}

/// Options are looked through. A fragment has an offset, or more of them follow.
fn v4(world: &mut World<'_>, place: u64) -> Ruled<Stage> {
    let place = world.constant(place);
    let Some(header) = ipv4::header(world, place)? else { return Err(Malformed.into()) };
    let (end, length) = (world.add(place, header.total), world.whole());
    if !world.is_at_least(length, end)? {
        return Err(Malformed.into());
    }
    let at = world.add(place, header.length);
    let left = world.minus(header.total, header.length);
    let offset_and_more = world.bits(header.fragment, 0, 14);
    let fragment = !world.is(offset_and_more, 0)?;
    let upper = Upper { family: Family::V4, protocol: header.protocol, at, left, fragment };
    flow(world, &upper, header.source, header.destination)
}

fn v6(world: &mut World<'_>, place: u64) -> Ruled<Stage> {
    let place = world.constant(place);
    let Some(header) = ipv6::header(world, place)? else { return Err(Malformed.into()) };
    let at = world.plus(place, ipv6::HEADER);
    let (end, length) = (world.add(at, header.payload), world.whole());
    if !world.is_at_least(length, end)? {
        return Err(Malformed.into());
    }
    let upper = ipv6::upper(world, at, header.payload, header.next, ipv6::Fragments::All)?;
    flow(world, &upper, header.source, header.destination)
}

/// The flow of a packet from `source` to `destination`, which are bytes.
fn flow(world: &mut World<'_>, upper: &Upper, source: Vec<Term>, destination: Vec<Term>) -> Ruled<Stage> {
    if upper.fragment {
        return Ok(portless(world, upper, source, destination));
    }
    if upper.is_icmp(world)? {
        if !upper.holds(world, ICMP)? {
            return Err(Malformed.into());
        }
        let kind = world.number(upper.at, 1);
        if is_error(world, upper.family, kind)? {
            return Ok(Stage::Quote { family: upper.family, at: upper.at, left: upper.left, destination });
        }
        if is_kept(world, upper.family, kind)? {
            return Err(NoService.into());
        }
        return Ok(portless(world, upper, source, destination));
    }
    if !upper.has_ports(world)? {
        return Ok(portless(world, upper, source, destination));
    }
    if !upper.holds(world, PORTS)? {
        return Err(Malformed.into());
    }
    let ports = world.bytes(upper.at, PORTS);
    let (source_port, destination_port) = (ports[..2].to_vec(), ports[2..].to_vec());
    Ok(Stage::Flow(Flow {
        family: upper.family,
        source,
        destination,
        source_port,
        destination_port,
        protocol: upper.protocol,
        fragment: false,
        has_ports: true,
    }))
}
