//! Rules for services and their servers.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;
use lb_common::{
    flow::protocol::{ICMP, ICMPV6, has_ports},
    limits::{MAX_NAME_BYTES, MAX_SLOTS_PER_SERVICE, MAX_VLAN},
};

use super::report::{Report, label, second_time};
use crate::config::{
    draft::{Draft, DraftServer},
    model::{self, Fragments},
    protocol::protocol_name,
};

/// The largest prime of at most [`MAX_SLOTS_PER_SERVICE`].
const MAX_PRIME_SLOTS: i64 = 65_521;

/// A line for each problem with services.
pub(super) fn problems(services: &[Draft]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = Seen::default();
    for (index, service) in services.iter().enumerate() {
        let mut report = Report { label: label(index, &service.name), problems: &mut problems };
        name(&service.name, &mut report);
        destination(service, &mut report);
        slots(service, &mut report);
        servers(service, &mut report);
        seen.conflicts(service, &mut report);
    }
    problems
}

fn name(name: &str, report: &mut Report<'_>) {
    // `escape_debug` writes unprintable characters as \u{…}, and quotes and backslashes with a backslash.
    let invisible = |c: char| c.is_control() || c.is_whitespace() || c.escape_debug().nth(1) == Some('u');
    report.add_if(name.is_empty(), || "the name is empty".to_owned());
    report.add_if(name.len() > MAX_NAME_BYTES, || {
        format!("the name has {} bytes, at most {MAX_NAME_BYTES} are allowed", name.len())
    });
    report.add_if(name.chars().any(invisible), || {
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
    report.add_if(!(1..=65_535).contains(&port), || format!("port {port} is not from 1 to 65535"));
    match service.protocol {
        Some(None) => report.add(format_args!("port {port} needs a protocol, such as protocol = \"tcp\"")),
        Some(Some(protocol)) if !has_ports(protocol) => {
            report.add(format_args!("protocol {} has no ports; leave out port", protocol_name(protocol)));
        }
        Some(Some(_)) | None => {}
    }
}

fn destination_address(address: IpNet, report: &mut Report<'_>) {
    if address != address.trunc() {
        report.add(format_args!("address {address} has host bits set; write {}", address.trunc()));
    }
    if address.prefix_len() < address.max_prefix_len() {
        return;
    }
    let address = address.addr();
    if let Some(kind) = never_on_the_wire(address) {
        report.add(format_args!("address {address} is {kind}, which cannot be a service's"));
    }
}

fn protocol_family(protocol: u8, address: IpNet, report: &mut Report<'_>) {
    let address = address.addr();
    let needs = match (protocol, address) {
        (ICMP, IpAddr::V6(_)) => "icmp belongs to IPv4; use icmpv6 with",
        (ICMPV6, IpAddr::V4(_)) => "icmpv6 belongs to IPv6; use icmp with",
        _ => return,
    };
    report.add(format_args!("protocol {needs} {address}"));
}

/// The kind of an address that no packet on the wire is sent to.
fn never_on_the_wire(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        Some("the unspecified address")
    } else {
        address.is_loopback().then_some("a loopback address")
    }
}

/// The kind of an address that no single host has.
fn not_of_one_host(address: IpAddr) -> Option<&'static str> {
    if address.is_multicast() {
        Some("a multicast address")
    } else {
        matches!(address, IpAddr::V4(v4) if v4.is_broadcast()).then_some("the broadcast address")
    }
}

fn slots(service: &Draft, report: &mut Report<'_>) {
    let Some(slots) = service.slots else { return };
    if slots > MAX_PRIME_SLOTS {
        report.add(format_args!("slots {slots} is more than {MAX_PRIME_SLOTS}"));
    } else if !is_prime(slots) {
        report.add(format_args!("slots {slots} is not a prime{}", nearest_prime(slots)));
    }
    let servers = service.servers.len();
    report.add_if(usize::try_from(slots).map_or(true, |slots| slots < servers), || {
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
    for server in &service.servers {
        one_server(server, report);
        let Ok(address) = server.address else { continue };
        report.add_if(second_time(&mut seen, address), || format!("server {address} listed twice"));
        let Some(destination) = service.address.map(|net| net.addr()) else { continue };
        report.add_if(address.is_ipv4() != destination.is_ipv4(), || {
            format!("server {address} is not of the same address family as the service's address {destination}")
        });
        report.add_if(address == destination, || {
            format!("server {address} has the service's own address; give the server's own address")
        });
    }
    // A weight out of range has its own message.
    let n: i64 = service.servers.iter().map(|server| server.weight).filter(|weight| weight_fits(*weight)).sum();
    report.add_if(!sum_fits(n), || {
        format!("the weights of the servers make N = {n}, at most {MAX_SLOTS_PER_SERVICE} are possible")
    });
}

fn one_server(server: &DraftServer, report: &mut Report<'_>) {
    let label = || match &server.address {
        Ok(address) => format!("server {address}"),
        Err(text) => format!("server {}", text.escape_debug()),
    };
    if let Ok(address) = server.address
        && let Some(kind) = never_on_the_wire(address).or_else(|| not_of_one_host(address))
    {
        report.add(format_args!("{}: this is {kind}, which cannot be a server's", label()));
    }
    if let model::ServerMac::Given(mac) = server.mac {
        report.add_if(mac.is_group(), || format!("{}: mac {mac} is a multicast or broadcast address", label()));
        report.add_if(!mac.is_unicast() && !mac.is_group(), || format!("{}: mac {mac} is the zero address", label()));
    }
    if let Some(vlan) = server.vlan {
        report.add_if(!(0..=i64::from(MAX_VLAN)).contains(&vlan), || {
            format!("{}: vlan {vlan} is not from 1 to {MAX_VLAN}, nor 0 for no tag", label())
        });
    }
    report.add_if(!weight_fits(server.weight), || {
        format!("{}: weight {} is not from 1 to {MAX_SLOTS_PER_SERVICE}", label(), server.weight)
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
        let again = !service.name.is_empty() && second_time(&mut self.names, &service.name);
        report.add_if(again, || "the name is given twice".to_owned());
        let (Some(address), Some(protocol)) = (service.address, service.protocol) else { return };
        if let Some(other) = self.destinations.insert((address, protocol, service.port), &service.name) {
            let target = model::target(address, protocol, service.port);
            report.add(format_args!("{target} is already the destination of service {other}"));
        } else if service.fragments == Fragments::Balance
            && let Some(other) = self.fragments.insert((address, protocol), &service.name)
        {
            let target = model::target(address, protocol, None::<u16>);
            report.add(format_args!("the fragments to {target} are already balanced by service {other}"));
        }
    }
}
