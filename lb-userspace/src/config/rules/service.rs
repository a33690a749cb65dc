//! Rules for services and their servers.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;
use lb_common::{
    flow::protocol::{ICMP, ICMPV6, has_ports},
    limits::{MAX_NAME_BYTES, MAX_SLOTS_PER_SERVICE, MAX_VLAN},
};

use super::address::{broadcast, mapped, multicast, never_on_the_wire, not_of_one_host, only_on_one_link};
use crate::config::{
    draft::{Draft, DraftServer},
    model::{self, Fragments},
    problem::Finding,
    protocol::protocol_name,
    report::{Report, second_time},
};

/// The largest prime of at most [`MAX_SLOTS_PER_SERVICE`].
const MAX_PRIME_SLOTS: i64 = 65_521;

/// Reports every problem with services.
pub(super) fn check(services: &[Draft], findings: &mut Vec<Finding>) {
    let mut seen = Seen::default();
    for (index, service) in services.iter().enumerate() {
        let mut report = Report::of_service(index, service.name(), findings);
        if let Some(name) = &service.name {
            check_name(name, &mut report);
        }
        destination(service, &mut report);
        slots(service, &mut report);
        servers(service, &mut report);
        seen.conflicts(service, &mut report);
    }
}

fn check_name(name: &str, report: &mut Report<'_>) {
    // `escape_debug` writes unprintable characters as \u{…}, and quotes and backslashes with a backslash.
    let invisible = |c: char| c.is_control() || c.is_whitespace() || c.escape_debug().nth(1) == Some('u');
    report.add_if(name.is_empty(), "name", || "the name is empty".to_owned());
    report.add_if(name.len() > MAX_NAME_BYTES, "name", || {
        format!("the name has {} bytes, at most {MAX_NAME_BYTES} are allowed", name.len())
    });
    report.add_if(name.chars().any(invisible), "name", || {
        "the name contains white space or characters that cannot be printed".to_owned()
    });
}

fn destination(service: &Draft, report: &mut Report<'_>) {
    if let Some(address) = service.address {
        destination_address(address, report);
        if let Some(Some(protocol)) = service.protocol {
            protocol_family(protocol, address, report);
        }
    }
    let Some(port) = service.port else { return };
    report.add_if(!(1..=65_535).contains(&port), "port", || format!("port {port} is not from 1 to 65535"));
    match service.protocol {
        Some(None) => {
            let text = format!("port {port} needs a protocol, such as protocol = \"tcp\"");
            report.add_without("port", &["protocol"], text);
        }
        Some(Some(protocol)) if !has_ports(protocol) => {
            report.add("port", format_args!("protocol {} has no ports; leave out port", protocol_name(protocol)));
        }
        Some(Some(_)) | None => {}
    }
}

/// A prefix service never takes addresses of the kinds below. A single multicast address may stand
/// ([`Config::warnings`]).
///
/// [`Config::warnings`]: crate::config::model::Config::warnings
fn destination_address(net: IpNet, report: &mut Report<'_>) {
    if net != net.trunc() {
        report.add("address", format_args!("address {net} has host bits set; write {}", net.trunc()));
    }
    let (address, last) = (net.network(), net.broadcast());
    let never = |address| {
        let kind = never_on_the_wire(address).or_else(|| broadcast(address)).or_else(|| only_on_one_link(address));
        kind.or_else(|| mapped(address))
    };
    if address == last {
        if let Some(kind) = never(address) {
            report.add("address", format_args!("address {address} is {kind}, which cannot be a service's"));
        }
        return;
    }
    let kind = |address| never(address).or_else(|| multicast(address));
    if let (Some(first), Some(second)) = (kind(address), kind(last))
        && first == second
    {
        report.add("address", format_args!("address {net}: each is {first}, which cannot be a service's"));
    }
}

fn protocol_family(protocol: u8, address: IpNet, report: &mut Report<'_>) {
    let address = address.addr();
    let needs = match (protocol, address) {
        (ICMP, IpAddr::V6(_)) => "icmp belongs to IPv4; use icmpv6 with",
        (ICMPV6, IpAddr::V4(_)) => "icmpv6 belongs to IPv6; use icmp with",
        _ => return,
    };
    report.add("protocol", format_args!("protocol {needs} {address}"));
}

fn slots(service: &Draft, report: &mut Report<'_>) {
    let Some(slots) = service.slots else { return };
    if slots > MAX_PRIME_SLOTS {
        report.add("slots", format_args!("slots {slots} is more than {MAX_PRIME_SLOTS}"));
    } else if !is_prime(slots) {
        report.add("slots", format_args!("slots {slots} is not a prime{}", nearest_prime(slots)));
    }
    let servers = service.servers.len();
    report.add_if(usize::try_from(slots).map_or(true, |slots| slots < servers), "slots", || {
        format!("slots {slots} is fewer than the {servers} servers")
    });
}

/// Suggests a prime.
fn nearest_prime(slots: i64) -> String {
    let next = (slots.max(2)..=MAX_PRIME_SLOTS).find(|number| is_prime(*number));
    next.map_or_else(String::new, |prime| format!("; the next one is {prime}"))
}

fn is_prime(number: i64) -> bool {
    number >= 2 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| number % divisor != 0)
}

fn servers(service: &Draft, report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for (index, server) in service.servers.iter().enumerate() {
        let mut report = report.server(index);
        one_server(server, &mut report);
        let Ok(address) = server.address else { continue };
        report.add_if(second_time(&mut seen, address), "address", || format!("server {address} listed twice"));
        let Some(net) = service.address else { continue };
        let destination = net.addr();
        report.add_if(address.is_ipv4() != destination.is_ipv4(), "address", || {
            format!("server {address} is not of the same address family as the service's address {destination}")
        });
        report.add_if(address == destination && net.prefix_len() == net.max_prefix_len(), "address", || {
            format!("server {address} has the service's own address; give the server's own address")
        });
    }
    // A weight out of range has its own message.
    let n: i64 = service.servers.iter().map(|server| server.weight).filter(|weight| weight_fits(*weight)).sum();
    report.add_if(!sum_fits(n), "server", || {
        format!("the weights of the servers make N = {n}, at most {MAX_SLOTS_PER_SERVICE} are possible")
    });
}

fn one_server(server: &DraftServer, report: &mut Report<'_>) {
    let label = || server.label();
    if let Ok(address) = server.address {
        let kind = never_on_the_wire(address).or_else(|| not_of_one_host(address)).or_else(|| mapped(address));
        if let Some(kind) = kind {
            report.add("address", format_args!("{}: this is {kind}, which cannot be a server's", label()));
        } else if let Some(kind) = only_on_one_link(address) {
            report.add(
                "address",
                format_args!(
                    "{}: this is {kind}, of which each interface has its own; give an address that only one host has",
                    label()
                ),
            );
        }
    }
    if let model::ServerMac::Given(mac) = server.mac {
        report.add_if(mac.is_group(), "mac", || format!("{}: mac {mac} is a multicast or broadcast address", label()));
        report.add_if(!mac.is_unicast() && !mac.is_group(), "mac", || {
            format!("{}: mac {mac} is the zero address", label())
        });
    }
    if let Some(vlan) = server.vlan {
        report.add_if(!(0..=i64::from(MAX_VLAN)).contains(&vlan), "vlan", || {
            format!("{}: vlan {vlan} is not from 1 to {MAX_VLAN}, nor 0 for no tag", label())
        });
    }
    let weight = server.weight;
    report.add_if(!weight_fits(weight), "weight", || {
        format!("{}: weight {weight} is not from 1 to {MAX_SLOTS_PER_SERVICE}", label())
    });
}

fn sum_fits(n: i64) -> bool {
    n <= i64::from(MAX_SLOTS_PER_SERVICE)
}

fn weight_fits(weight: i64) -> bool {
    weight >= 1 && sum_fits(weight)
}

/// Values that only one service may have.
#[derive(Default)]
struct Seen<'a> {
    names: HashMap<&'a str, u32>,
    destinations: HashMap<(IpNet, Option<u8>, Option<i64>), &'a str>,
    fragments: HashMap<(IpNet, Option<u8>), &'a str>,
}

impl<'a> Seen<'a> {
    fn conflicts(&mut self, service: &'a Draft, report: &mut Report<'_>) {
        let name = service.name();
        let again = !name.is_empty() && second_time(&mut self.names, name);
        report.add_if(again, "name", || "the name is given twice".to_owned());
        let (Some(address), Some(protocol)) = (service.address, service.protocol) else { return };
        if let Some(other) = self.destinations.insert((address, protocol, service.port), name) {
            let target = model::target(address, protocol, service.port);
            let text = format!("{target} is already the destination of service {other}");
            report.add_without("address", &["port", "protocol"], text);
        } else if service.fragments == Fragments::Balance
            && let Some(other) = self.fragments.insert((address, protocol), name)
        {
            let target = model::target(address, protocol, None::<u16>);
            let text = format!("the fragments to {target} are already balanced by service {other}");
            report.add("fragments", text);
        }
    }
}
