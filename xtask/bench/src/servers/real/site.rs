//! Clients, a balancer and 30 servers on one Ethernet segment.

use std::{fmt::Write as _, path::Path, thread};

use anyhow::{Result, anyhow};
use lb_userspace::config::model::Selection;

use super::{
    echo::{Echo, PORT},
    knowledge::Knowledge,
};
use crate::{
    frame::{Family, SERVICE},
    keep::workload::{SERVERS, lists},
    modlb::Modlb,
    namespace::Namespace,
};

/// Servers whose programs are one process.
const IN_A_PROCESS: usize = 10;

/// The clients' addresses in each family.
pub const CLIENTS: u8 = 8;

/// The segment.
pub struct Site {
    // Detached before their namespaces go.
    keepers: Vec<Modlb>,
    balancer: Modlb,
    _echoes: Vec<Echo>,
    pub clients: Namespace,
    _servers: Vec<Namespace>,
    _gateway: Namespace,
    _switch: Namespace,
    selection: Selection,
    knowledge: Knowledge,
}

impl Site {
    /// Builds it with the first list of servers.
    pub fn new(modlb: &Path, selection: Selection, knowledge: Knowledge) -> Result<Self> {
        let switch = Namespace::new("switch")?;
        switch.ip("link add br0 type bridge")?;
        switch.ip("link set br0 up")?;
        let (gateway, clients) = (host(&switch, "gateway", 1)?, host(&switch, "clients", 2)?);
        for number in 0..CLIENTS {
            clients.ip(&format!("address add 10.1.0.{}/24 dev eth0", 100 + number))?;
            clients.ip(&format!("address add fd00::{:x}/64 dev eth0 nodad", 100 + number))?;
        }
        clients.ip(&format!("route add {} via 10.1.0.1", SERVICE.0))?;
        clients.ip(&format!("route add {} via fd00::1", SERVICE.1))?;
        let most = SERVERS.into_iter().max().unwrap_or_default() as u8;
        let servers = (0..most).map(|number| server(&switch, number)).collect::<Result<Vec<_>>>()?;
        let echoes = servers.chunks(IN_A_PROCESS).map(Echo::start).collect::<Result<_>>()?;
        let mut site = Self {
            keepers: Vec::new(),
            balancer: Modlb::new(modlb, &gateway)?,
            _echoes: echoes,
            clients,
            _servers: Vec::new(),
            _gateway: gateway,
            _switch: switch,
            selection,
            knowledge,
        };
        let first = site.configuration(&lists(0)[0], &[]);
        if knowledge.lists.is_some() {
            for server in &servers {
                let keeper = Modlb::new(modlb, server)?;
                keeper.attach("eth0 --role keep --max-slots 1048576", &first)?;
                site.keepers.push(keeper);
            }
        }
        site.balancer.attach("eth0 --mode generic", &first)?;
        site._servers = servers;
        Ok(site)
    }

    /// Puts the lists of a step in force, on servers first.
    pub fn apply(&self, lists: &[Vec<u32>], step: usize) -> Result<()> {
        let previous: Vec<_> = lists[..step].iter().rev().collect();
        if self.knowledge.announced {
            let known: Vec<_> = [&lists[step]].into_iter().chain(previous[1..].iter().copied()).collect();
            self.apply_on_servers(&self.configuration(&lists[step - 1], &known))?;
        }
        let text = self.configuration(&lists[step], &previous);
        self.apply_on_servers(&text)?;
        self.balancer.apply(&text).map(drop)
    }

    fn apply_on_servers(&self, text: &str) -> Result<()> {
        let one = |keeper: &Modlb| keeper.apply(text).map(drop);
        // As many at a time as there are CPUs, as good as at once.
        let share = self.keepers.len().div_ceil(thread::available_parallelism()?.get()).max(1);
        thread::scope(|scope| {
            let parts = self.keepers.chunks(share);
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().try_for_each(one))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
        })
    }

    /// A list of servers, and previous lists of which servers know some.
    fn configuration(&self, servers: &[u32], previous: &[&Vec<u32>]) -> String {
        let selection = match self.selection {
            Selection::Modulo => String::new(),
            Selection::Resilient { slots } => format!("selection = \"resilient\"\nslots = {slots}\n"),
        };
        let mut text = String::new();
        for family in [Family::V4, Family::V6] {
            let (name, vip) = match family {
                Family::V4 => ("four", SERVICE.0.to_string()),
                Family::V6 => ("six", SERVICE.1.to_string()),
            };
            let list = |servers: &[u32]| {
                let entry = |number: &u32| format!("\"{} mac {}\"", address(family, *number), mac(*number));
                format!("[{}]", servers.iter().map(entry).collect::<Vec<_>>().join(", "))
            };
            let known = self.knowledge.lists.unwrap_or_default();
            let previous: Vec<_> = previous.iter().take(known).map(|servers| list(servers)).collect();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[[service]]\nname = \"{name}\"\naddress = \"{vip}\"\nprotocol = \"tcp\"\nport = {PORT}\n\
                 formula = \"5-tuple\"\n{selection}previous = [{}]\nserver = [",
                previous.join(", ")
            );
            for number in servers {
                let _ = write!(text, "{{address=\"{}\",mac=\"{}\"}},", address(family, *number), mac(*number));
            }
            text += "]\n";
        }
        text
    }
}

/// A server's number on the segment.
const fn place(number: u32) -> u32 {
    11 + number
}

fn address(family: Family, number: u32) -> String {
    match family {
        Family::V4 => format!("10.1.0.{}", place(number)),
        Family::V6 => format!("fd00::{:x}", place(number)),
    }
}

fn mac(number: u32) -> String {
    format!("02:00:00:00:00:{:02x}", place(number))
}

/// A host on the segment.
fn host(switch: &Namespace, label: &str, place: u8) -> Result<Namespace> {
    let namespace = Namespace::new(label)?;
    let (peer, mac) = (namespace.name(), format!("02:00:00:00:00:{place:02x}"));
    switch.ip(&format!("link add p{place} type veth peer name eth0 netns {peer} address {mac}"))?;
    switch.ip(&format!("link set p{place} master br0 up"))?;
    namespace.set("net/ipv6/conf/eth0/accept_dad", "0")?;
    namespace.ip("link set eth0 up")?;
    namespace.ip(&format!("address add 10.1.0.{place}/24 dev eth0"))?;
    namespace.ip(&format!("address add fd00::{place:x}/64 dev eth0 nodad"))?;
    // A veth leaves checksums to hardware, and frames that are handed on or forwarded by XDP never meet any.
    crate::command::capture(namespace.command("ethtool").args(["-K", "eth0", "tx", "off"]))?;
    Ok(namespace)
}

/// A server with the services' addresses.
fn server(switch: &Namespace, number: u8) -> Result<Namespace> {
    let namespace = host(switch, &format!("server{number}"), place(number.into()) as u8)?;
    for (name, value) in [("arp_ignore", "1"), ("arp_announce", "2"), ("accept_local", "1")] {
        namespace.set(&format!("net/ipv4/conf/all/{name}"), value)?;
    }
    namespace.ip(&format!("address add {}/32 dev lo", SERVICE.0))?;
    namespace.ip(&format!("address add {}/128 dev lo nodad", SERVICE.1))?;
    Ok(namespace)
}
