//! `cargo xtask demo --cluster`: three servers that all receive every packet, and no gateway.
//!
//! ```text
//!              one Ethernet segment (a bridge that floods the group's MAC)
//!      ┌───────────────┬───────────────┬──────────────┐
//!   client            s1              s2             s3
//!   12 + 12 clients   modlb           modlb          modlb
//! ```

use std::{fmt::Write as _, net::IpAddr, path::Path};

use anyhow::{Result, ensure};

use super::{
    arithmetic,
    family::{Family, PORT, SERVERS, all_clients, endpoint},
    group::{Group, nft, nft_packets, outcome},
    step::step,
    topology::{CLIENT, SWITCH, curl, make_client, make_server, make_switch, wait_for_servers},
};
use crate::interrupt;

const GROUP_MAC: &str = "01:00:5e:7f:00:09";

/// The member that goes down.
const DOWNED: usize = 1;

/// Counts what the client sends to the services.
const COUNT: &str = "
table inet demo {
    counter sent { }
    chain out {
        type filter hook output priority 0;
        ip daddr 203.0.113.10 tcp dport 80 counter name sent
        ip6 daddr 2001:db8:f00::10 tcp dport 80 counter name sent
    }
}";

/// Shows the story; returns when everything is removed.
pub fn perform(modlb: &Path) -> Result<()> {
    step("building a network: a client and three servers with nginx each, one Ethernet segment, no gateway");
    let hosts: Vec<_> = [SWITCH, CLIENT].into_iter().chain(SERVERS).collect();
    let mut group = Group::claim(modlb, &hosts)?;
    make_switch()?;
    make_client(|_| "dev eth0".into())?;
    for number in 0..SERVERS.len() {
        group.servers.push(make_server(number)?);
    }
    wait_for_servers()?;
    nft(CLIENT, COUNT)?;
    step("attaching modlb to every server, with the same configuration");
    for line in configuration().lines().take(12) {
        println!("    {line}");
    }
    println!("    …");
    for host in SERVERS {
        group.attach(host, "", &configuration())?;
    }
    step("one request from each client: which server the formula names, which accepts, which answered");
    requests(&group, None)?;
    step("each member's counters");
    counters(&group)?;
    step(&format!("{} is taken down on every member", SERVERS[DOWNED]));
    for host in [DOWNED, 0, 2].map(|number| SERVERS[number]) {
        for family in Family::BOTH {
            group.modlb(host, &format!("server down {} {}", family.service(), family.server(DOWNED)))?;
        }
    }
    requests(&group, Some(DOWNED))?;
    step("modlb status on one of them");
    println!("{}", group.modlb(SERVERS[0], "status")?);
    step("detaching, and removing everything");
    group.detach()
}

fn configuration() -> String {
    let mut text =
        format!("interfaces = [\"eth0\"]\nrole = \"member\"\ngroup_mac = \"{GROUP_MAC}\"\nanswer_arp = true\n");
    for family in Family::BOTH {
        let (name, address) = (family.service(), family.service_address());
        let _ = write!(
            text,
            "\n[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = {PORT}\n"
        );
        for number in 0..SERVERS.len() {
            let _ = write!(text, "\n[[service.server]]\naddress = \"{}\"\n", family.server(number));
        }
    }
    text
}

/// Makes a request for every client. While a member is `down`, only its clients go to other members.
fn requests(group: &Group, down: Option<usize>) -> Result<()> {
    println!("  {:<20} {:<9} {:<9} {:<9}", "client", "formula", "accepted", "answered");
    let mut moved = 0;
    for client in all_clients() {
        interrupt::check()?;
        let (home, accepts, answered) = (arithmetic::server(client), accepted_by(group, client)?, curl(client)?);
        println!("  {client:<20} {:<9} {:<9} {answered:<9}", SERVERS[home], accepts.join(" "));
        ensure!(accepts.len() == 1, "{client}: not exactly one member accepts");
        ensure!(answered == accepts[0], "{client}: the member that answered is not the one that accepts");
        let stays = accepts[0] == SERVERS[home];
        ensure!(stays != (down == Some(home)), "{client}: the wrong member accepts");
        moved += usize::from(!stays);
    }
    println!("  {moved} of {} clients are not at the member that the formula names", all_clients().count());
    Ok(())
}

/// The members whose `modlb explain` says that they accept a client's request.
fn accepted_by(group: &Group, client: IpAddr) -> Result<Vec<&'static str>> {
    let service = endpoint(Family::of(client).service_address(), PORT);
    let question = format!("explain {} {service}", endpoint(client, 40_000));
    let mut members = Vec::new();
    for host in SERVERS {
        if group.json(host, &question)?["outcome"] == "accepted" {
            members.push(host);
        }
    }
    Ok(members)
}

fn counters(group: &Group) -> Result<()> {
    let sent = nft_packets(CLIENT, "sent")?;
    let mut sum = 0;
    println!("  {:<8} {:>9} {:>9} {:>9}", "member", "accepted", "others'", "seen");
    for host in SERVERS {
        let stats = group.json(host, "stats")?;
        let (accepted, others) = (outcome(&stats, "accepted"), outcome(&stats, "others"));
        println!("  {host:<8} {accepted:>9} {others:>9} {:>9}", accepted + others);
        ensure!(accepted + others == sent, "{host} did not see every packet");
        sum += accepted;
    }
    println!("  {:<8} {sum:>9}    the client sent {sent} packets", "all");
    ensure!(sum == sent, "not every packet was accepted once");
    Ok(())
}
