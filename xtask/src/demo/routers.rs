//! `cargo xtask demo --routers`: three stateful routers side by side; both directions of each session pass through one.
//!
//! ```text
//!            left                             right
//!    ┌──────────┬─────── …          ┌───────── … ─────┬──────────┐
//!  client    r1, r2, r3          r1, r2, r3          s1         s2
//!  10.1.0.x  10.1.0.11, …        10.2.0.11, …     10.2.0.101  10.2.0.102
//! ```

use std::{fmt::Write as _, net::IpAddr, path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{
    group::{Group, nft, nft_packets, setting},
    namespace::{self, ip, within},
    place::DIRECTORY,
    step::step,
    web::WebServer,
};
use crate::{
    interrupt,
    process::{capture, succeeds},
};

const ROUTERS: [&str; 3] = ["r1", "r2", "r3"];
const SERVERS: [&str; 2] = ["s1", "s2"];
const CLIENT: &str = "client";
const SIDES: [&str; 2] = ["left", "right"];
const GROUP_MAC: &str = "01:00:5e:7f:00:09";

/// Client addresses in each family.
const CLIENTS: u8 = 25;

/// What routers forward: only connections whose start their connection tracking has seen.
const STATEFUL: &str = "
table inet demo {
    counter opened { }
    counter invalid { }
    counter to_clients { }
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname eth1 counter name to_clients
        ct state invalid counter name invalid drop
        ct state established,related accept
        ct state new tcp flags & (syn | ack) == syn counter name opened accept
    }
}";

/// Shows the story; returns when everything is removed.
pub fn perform(modlb: &Path) -> Result<()> {
    step(
        "building a network: a client, three routers that drop packets of unknown connections, two servers with nginx",
    );
    let hosts: Vec<_> = SIDES.into_iter().chain([CLIENT]).chain(ROUTERS).chain(SERVERS).collect();
    let mut group = Group::claim(modlb, &hosts)?;
    build(&mut group)?;
    let members = |direction| configuration(&member_head(), direction, false);
    step("routers as members for clients' packets; the servers choose the router for their replies (role steer)");
    send_to_group(CLIENT, 1)?;
    ROUTERS.iter().try_for_each(|router| group.attach(router, "eth0", &members("")))?;
    steered(&group)?;
    step("modlb on every router, for packets from either side: 3-tuple, both directions");
    group.detach()?;
    let both = members("direction = \"both\"");
    ROUTERS.iter().try_for_each(|router| group.attach(router, "eth0 eth1", &both))?;
    SERVERS.iter().try_for_each(|server| send_to_group(server, 2))?;
    session_by_session()?;
    step("the same without a direction: the sum of a reply is not swapped");
    let undirected = members("").replace("10.2.0.0/24", "0.0.0.0/0").replace("fd02::/64", "::/0");
    let file = Path::new(DIRECTORY).join("undirected.toml");
    std::fs::write(&file, undirected)?;
    for router in ROUTERS {
        group.modlb(router, &format!("apply {}", file.display()))?;
    }
    control()?;
    step("detaching, and removing everything");
    group.detach()
}

fn member_head() -> String {
    format!("role = \"member\"\ngroup_mac = \"{GROUP_MAC}\"")
}

/// The servers' kernels know one router; their programs choose among all.
fn steered(group: &Group) -> Result<()> {
    let steering = configuration("role = \"steer\"", "", true);
    for server in SERVERS {
        group.attach(server, "eth0", &steering)?;
        for six in [false, true] {
            ip(server, &format!("route replace {} via {}", network(1, six), address(2, six, 11)))?;
        }
    }
    session_by_session()?;
    let mut steered = [0; ROUTERS.len()];
    for server in SERVERS {
        let stats = group.json(server, "stats")?;
        for service in stats["services"].as_array().into_iter().flatten() {
            for (sum, router) in steered.iter_mut().zip(service["servers"].as_array().into_iter().flatten()) {
                *sum += router["packets"].as_u64().unwrap_or_default();
            }
        }
    }
    let arrived = counters("to_clients")?;
    println!("  replies that the servers sent to each router: {steered:?}, that each router received: {arrived:?}");
    ensure!(arrived == steered, "replies went astray");
    Ok(())
}

fn build(group: &mut Group) -> Result<()> {
    for side in SIDES {
        namespace::add(side)?;
        ip(side, "link add br0 type bridge mcast_snooping 0")?;
        ip(side, "link set br0 up")?;
    }
    namespace::add(CLIENT)?;
    plug(CLIENT, "eth0", 1, 2)?;
    for number in 0..CLIENTS {
        ip(CLIENT, &format!("address add {}/24 dev eth0", address(1, false, 100 + number)))?;
        ip(CLIENT, &format!("address add {}/64 dev eth0 nodad", address(1, true, 100 + number)))?;
    }
    for (number, router) in (11..).zip(ROUTERS) {
        namespace::add(router)?;
        plug(router, "eth0", 1, number)?;
        plug(router, "eth1", 2, number)?;
        nft(router, STATEFUL)?;
        for (name, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("netfilter/nf_conntrack_tcp_loose", "0"),
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/eth1/send_redirects", "0"),
        ] {
            setting(router, name, value)?;
        }
    }
    for (number, server) in (101..).zip(SERVERS) {
        namespace::add(server)?;
        plug(server, "eth0", 2, number)?;
        group.servers.push(WebServer::start(server, &Path::new(DIRECTORY).join(server))?);
    }
    Ok(())
}

fn plug(host: &str, interface: &str, side: u8, number: u8) -> Result<()> {
    interrupt::check()?;
    let switch = SIDES[usize::from(side) - 1];
    let (peer, mac) = (namespace::name(host), mac(side, number));
    ip(switch, &format!("link add v{number} type veth peer name {interface} netns {peer} address {mac}"))?;
    ip(switch, &format!("link set v{number} master br0 up"))?;
    setting(host, &format!("ipv6/conf/{interface}/accept_dad"), "0")?;
    ip(host, &format!("link set {interface} up"))?;
    ip(host, &format!("address add {}/24 dev {interface}", address(side, false, number)))?;
    ip(host, &format!("address add {}/64 dev {interface} nodad", address(side, true, number)))?;
    capture(within(host, "ethtool").args(["-K", interface, "tx", "off"])).map(drop)
}

/// Sends everything for the other side to the group's MAC.
fn send_to_group(host: &str, side: u8) -> Result<()> {
    for six in [false, true] {
        let via = address(side, six, 254);
        ip(host, &format!("route replace {} via {via}", network(3 - side, six)))?;
        ip(host, &format!("neigh replace {via} lladdr {GROUP_MAC} dev eth0 nud permanent"))?;
    }
    Ok(())
}

/// Routers have the same addresses in both configurations; the servers' one gives their MACs on the servers' side.
fn configuration(head: &str, what: &str, macs: bool) -> String {
    let mut text = format!("{head}\n");
    for six in [false, true] {
        let _ =
            write!(text, "[[service]]\nname = \"net{}\"\naddress = \"{}\"\n{what}\n", u8::from(six), network(2, six));
        for number in (11..).take(ROUTERS.len()) {
            let _ = writeln!(text, "[[service.server]]\naddress = \"{}\"", address(1, six, number));
            if macs {
                let _ = writeln!(text, "mac = \"{}\"", mac(2, number));
            }
        }
    }
    text
}

/// Makes a request from each client to each server; each must succeed through the router that the formula names.
fn session_by_session() -> Result<()> {
    let (before, before_invalid) = (counters("opened")?, counters("invalid")?);
    let mut wanted = vec![0; ROUTERS.len()];
    for (client, server) in pairs() {
        interrupt::check()?;
        capture(&mut curl(client, server, 5))?;
        wanted[chosen(client, server)] += 1;
    }
    let since = |name, before: &[u64]| -> Result<Vec<u64>> {
        Ok(counters(name)?.iter().zip(before).map(|(after, before)| after - before).collect())
    };
    let (opened, invalid) = (since("opened", &before)?, since("invalid", &before_invalid)?);
    println!("  {:<8} {:>8} {:>8} {:>8}", "router", "formula", "opened", "invalid");
    for (number, router) in ROUTERS.iter().enumerate() {
        println!("  {router:<8} {:>8} {:>8} {:>8}", wanted[number], opened[number], invalid[number]);
    }
    println!("  {} requests, all answered", pairs().count());
    ensure!(opened == wanted, "a connection was opened by another router than the formula names");
    ensure!(invalid.iter().all(|count| *count == 0), "a router saw packets of others' connections");
    Ok(())
}

/// Makes some requests that are expected to fail.
fn control() -> Result<()> {
    let before: u64 = counters("invalid")?.iter().sum();
    let some: Vec<_> = pairs().take(12).collect();
    let failed = some.iter().filter(|(client, server)| !succeeds(&mut curl(*client, *server, 1))).count();
    let invalid = counters("invalid")?.iter().sum::<u64>() - before;
    println!("  {failed} of {} requests failed; routers dropped {invalid} packets of others' connections", some.len());
    ensure!(invalid > 0, "the routers did not notice");
    Ok(())
}

fn pairs() -> impl Iterator<Item = (IpAddr, IpAddr)> {
    let families = [false, true].into_iter();
    let clients = families.flat_map(|six| (100..100 + CLIENTS).map(move |number| (six, address(1, six, number))));
    clients.flat_map(|(six, client)| [101, 102].map(|number| (client, address(2, six, number))))
}

fn curl(client: IpAddr, server: IpAddr, seconds: u8) -> Command {
    let mut curl = within(CLIENT, "curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", &seconds.to_string(), "--interface"]);
    curl.arg(client.to_string()).arg(format!("http://{}/", super::family::endpoint(server, super::family::PORT)));
    curl
}

fn counters(name: &str) -> Result<Vec<u64>> {
    ROUTERS.iter().map(|router| nft_packets(router, name)).collect()
}

/// (client + server + 80) % 3.
fn chosen(client: IpAddr, server: IpAddr) -> usize {
    use num_bigint::BigUint;
    let number = |address| match address {
        IpAddr::V4(v4) => BigUint::from(v4.to_bits()),
        IpAddr::V6(v6) => BigUint::from(v6.to_bits()),
    };
    let sum = number(client) + number(server) + BigUint::from(super::family::PORT);
    (sum % ROUTERS.len()).iter_u64_digits().next().unwrap_or_default() as usize
}

fn address(side: u8, six: bool, number: u8) -> IpAddr {
    if six {
        std::net::Ipv6Addr::new(0xfd00 + u16::from(side), 0, 0, 0, 0, 0, 0, number.into()).into()
    } else {
        std::net::Ipv4Addr::new(10, side, 0, number).into()
    }
}

fn mac(side: u8, number: u8) -> String {
    format!("02:00:00:0{side}:00:{number:02x}")
}

fn network(side: u8, six: bool) -> String {
    if six { format!("fd0{side}::/64") } else { format!("10.{side}.0.0/24") }
}
