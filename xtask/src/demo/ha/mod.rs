//! `cargo xtask demo --ha`: of two balancers, the second takes over in the middle of a few hundred downloads.
//!
//! ```text
//!                                one Ethernet segment (a bridge)
//!      ┌───────────────┬───────────────┬───────────────┬───────────────┬──────────────┐
//!   client            lb1             lb2             s1              s2             s3
//!   12 + 12 clients   modlb and keepalived each       nginx, with the services' addresses on lo
//! ```

mod downloads;
mod vrrp;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use self::{
    downloads::{Downloads, Visitor},
    vrrp::{GATEWAY_HOST, Keepalived},
};
use super::{
    family::{Family, SERVERS},
    gateway::configuration,
    group::{Group, outcome},
    namespace::ip,
    step::{pause, step},
    topology::{
        CLIENT, SWITCH, address_add, by_gateway, connect, make_client, make_server, make_switch, port, wait_for_servers,
    },
};
use crate::interrupt;

/// The balancers, and their numbers on the segment.
const BALANCERS: [(&str, u8); 2] = [("lb1", 1), ("lb2", 3)];
const FIRST: &str = BALANCERS[0].0;
const SECOND: &str = BALANCERS[1].0;

/// How long keepalived may take to settle.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shows the story; returns when everything is removed.
pub fn perform(modlb: &Path) -> Result<()> {
    step("building a network: clients, two balancers, three servers with nginx each, one Ethernet segment");
    let group = build(modlb)?;
    step("attaching modlb to both, on standby, with one configuration");
    for (host, _) in BALANCERS {
        // A veth takes frames that a native program sends back only if its peer has a program as well.
        group.modlb(SWITCH, &format!("dev pass {}", port(host)))?;
        group.attach(host, "eth0 --mode native --standby", &configuration())?;
    }
    let digest = text(&group, FIRST, "digest")?;
    group.modlb(SECOND, &format!("status --expect-digest {digest}"))?;
    println!("  both have the digest {digest}: they agree on every packet");

    step("keepalived on both, with scripts/keepalived/plain.conf and this segment's addresses");
    let start = |host| Keepalived::start(modlb, host, &group.instance(host));
    let (master, _backup) = (start(FIRST)?, start(SECOND)?);
    settle(&group, ["active", "standby"])?;
    states(&group)?;

    let downloads = Downloads::start()?;
    let visitor = Visitor::start();
    step(&format!("{} downloads begin, over IPv4 and IPv6, 20 kB a second each", downloads.count()));
    pause(Duration::from_secs(1))?;
    ensure!(forwarded(&group, SECOND)? == 0, "the standby has forwarded packets");
    println!("  {FIRST} has forwarded {} packets, {SECOND} none", forwarded(&group, FIRST)?);

    step(&format!("kill -9 for keepalived on {FIRST}, and its interface is down"));
    let dead = Instant::now();
    drop(master);
    ip(FIRST, "link set eth0 down")?;
    settle(&group, ["active", "active"])?;
    println!("  {SECOND} is active {} ms later ({FIRST} does not know that it is dead)", dead.elapsed().as_millis());
    pause(Duration::from_millis(1_500))?;
    let gap = visitor.longest();
    println!("  new connections were impossible for {} ms, counting from the last that succeeded", gap.as_millis());
    let taken = forwarded(&group, SECOND)?;
    println!(
        "  {SECOND} has forwarded {taken} packets; {} of {} downloads continue",
        downloads.running(),
        downloads.count()
    );
    ensure!(taken > 0, "the balancer that took over forwarded nothing");

    step(&format!("{FIRST} returns"));
    visitor.forget();
    ip(FIRST, "link set eth0 up")?;
    // A link that goes down loses its IPv6 addresses and routes.
    ip(FIRST, &address_add(Family::V6.host(BALANCERS[0].1), Family::V6.prefix()))?;
    let master = start(FIRST)?;
    settle(&group, ["active", "standby"])?;
    pause(Duration::from_millis(500))?;
    states(&group)?;
    println!("  new connections were impossible for {} ms", visitor.longest().as_millis());
    ensure!(downloads.running() == downloads.count(), "downloads ended while balancers came and went");

    step("waiting until the downloads end");
    let count = downloads.count();
    let complete = downloads.finish()?;
    println!("  {complete} of {count} downloads complete, {} broken", count - complete);
    ensure!(complete == count, "connections broke");
    step(&format!("modlb status on {FIRST}"));
    println!("{}", group.modlb(FIRST, "status")?);
    step("detaching, and removing everything");
    drop(master);
    group.detach()
}

/// Everything but modlb and keepalived.
fn build(modlb: &Path) -> Result<Group> {
    let hosts: Vec<_> = [SWITCH, CLIENT].into_iter().chain(BALANCERS.map(|(host, _)| host)).chain(SERVERS).collect();
    let mut group = Group::claim(modlb, &hosts)?;
    make_switch()?;
    make_client(by_gateway(GATEWAY_HOST))?;
    for (host, number) in BALANCERS {
        connect(host, number)?;
    }
    for number in 0..SERVERS.len() {
        group.servers.push(make_server(number)?);
    }
    wait_for_servers()?;
    Ok(group)
}

/// A text field of `modlb status --json`.
fn text(group: &Group, host: &str, what: &str) -> Result<String> {
    Ok(group.json(host, "status")?[what].as_str().unwrap_or_default().to_owned())
}

fn states(group: &Group) -> Result<()> {
    for (host, _) in BALANCERS {
        println!("  {host} is {}", text(group, host, "state")?);
    }
    Ok(())
}

fn forwarded(group: &Group, host: &str) -> Result<u64> {
    Ok(outcome(&group.json(host, "stats")?, "forwarded"))
}

/// Waits until the balancers are in these states.
fn settle(group: &Group, states: [&str; 2]) -> Result<()> {
    let start = Instant::now();
    for ((host, _), wanted) in BALANCERS.iter().zip(states) {
        while text(group, host, "state")? != wanted {
            interrupt::check()?;
            ensure!(start.elapsed() < PATIENCE, "{host} does not become {wanted}; {}", vrrp::log(host));
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}
