//! `cargo xtask demo --resize`: servers come and go under long connections, with role `keep` and without.
//!
//! ```text
//!                          one Ethernet segment (a bridge)
//!      ┌───────────────┬───────────────┬───────────────┬─── … ────────┐
//!   client            lb1             lb2             s1             s6
//!   12 + 12 clients   modlb each, role balancer       nginx, and modlb in role keep
//! ```
//!
//! There are two services with the same servers. The servers' file names only one of them, so what happens to the other
//! is what happens without role `keep`, at the same moment on the same machines.

mod chart;
mod clients;
mod lists;

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};

use self::{
    chart::Row,
    clients::Clients,
    lists::{Entry, SERVERS, Side, configuration},
};
use super::{
    family::Family,
    group::{Group, outcome},
    namespace::ip,
    place::DIRECTORY,
    step::{pause, step},
    topology::{CLIENT, SWITCH, by_gateway, connect, make_client, make_server_with, make_switch, port, wait_for},
};

/// The balancers, and their numbers on the segment.
const BALANCERS: [(&str, u8); 2] = [("lb1", 1), ("lb2", 3)];
const FIRST: &str = BALANCERS[0].0;
const SECOND: &str = BALANCERS[1].0;

/// How long connections go on after each change.
const PART: Duration = Duration::from_millis(1_500);

/// Shows the story; returns when everything is removed.
pub fn perform(modlb: &Path) -> Result<()> {
    step("building a network: clients, two balancers, six servers with nginx each, one Ethernet segment");
    let mut show = Show { group: build(modlb)?, first_lives: true, rows: Vec::new() };
    show.attach(&up(&[0, 1, 2]))?;
    let clients = Clients::start();
    pause(PART)?;
    step(&format!(
        "{} connections at any time to each of two services with the same servers: downloads of 12 seconds and \
         keep-alive requests; only one service is in the files of role keep",
        clients.at_a_time()
    ));
    ensure!(clients.broken() == [0, 0], "connections broke before anything changed");
    show.changes(&clients)?;
    show.conclude(&clients)?;
    drop(clients);
    step("detaching, and removing everything");
    show.group.detach()
}

/// Everything but modlb.
fn build(modlb: &Path) -> Result<Group> {
    let hosts: Vec<_> = [SWITCH, CLIENT].into_iter().chain(BALANCERS.map(|(host, _)| host)).chain(SERVERS).collect();
    let mut group = Group::claim(modlb, &hosts)?;
    make_switch()?;
    make_client(by_gateway(BALANCERS[0].1))?;
    for (host, number) in BALANCERS {
        connect(host, number)?;
    }
    let addresses: Vec<_> =
        Side::BOTH.iter().flat_map(|side| Family::BOTH.map(|family| side.address(family))).collect();
    for (number, host) in SERVERS.iter().enumerate() {
        group.servers.push(make_server_with(host, number, &addresses)?);
    }
    wait_for(&SERVERS)?;
    // IPv4 goes by the first balancer, IPv6 by the second.
    route(Family::V4, BALANCERS[0].1)?;
    route(Family::V6, BALANCERS[1].1)?;
    Ok(group)
}

/// Lets the clients' packets of a family go by a balancer.
fn route(family: Family, balancer: u8) -> Result<()> {
    for side in Side::BOTH {
        ip(CLIENT, &format!("route replace {} via {}", side.address(family), family.host(balancer)))?;
    }
    Ok(())
}

/// Servers that are all up.
fn up(numbers: &[usize]) -> Vec<Entry> {
    numbers.iter().map(|number| (*number, false)).collect()
}

/// The same, where some are down.
fn with_down(numbers: &[usize], down: &[usize]) -> Vec<Entry> {
    numbers.iter().map(|number| (*number, down.contains(number))).collect()
}

/// The state of the story.
struct Show {
    group: Group,
    /// Whether the first balancer gets files.
    first_lives: bool,
    rows: Vec<Row>,
}

impl Show {
    fn attach(&self, servers: &[Entry]) -> Result<()> {
        step("attaching modlb: role keep on the servers, role balancer on the gateways");
        for host in SERVERS {
            self.group.attach(host, "eth0 --role keep", &configuration(&[Side::Kept], servers))?;
        }
        for (host, _) in BALANCERS {
            // A veth takes frames that a native program sends back only if its peer has a program as well.
            self.group.modlb(SWITCH, &format!("dev pass {}", port(host)))?;
            self.group.attach(host, "eth0 --mode native", &configuration(&Side::BOTH, servers))?;
        }
        Ok(())
    }

    fn changes(&mut self, clients: &Clients) -> Result<()> {
        self.change(clients, "3 → 4 servers", &up(&[0, 1, 2, 3]), Late::Nobody)?;
        self.change(clients, "s2 is drained", &with_down(&[0, 1, 2, 3], &[1]), Late::Nobody)?;
        self.change(clients, "4 → 6, lb2 late", &with_down(&[0, 1, 2, 3, 4, 5], &[1]), Late::Second)?;
        self.change(clients, "s2 is up again", &up(&[0, 1, 2, 3, 4, 5]), Late::Nobody)?;
        self.kill(clients)?;
        self.change(clients, "s1 is drained", &with_down(&[0, 1, 2, 3, 4, 5], &[0]), Late::Nobody)?;
        self.change(clients, "6 → 5, without s1", &up(&[1, 2, 3, 4, 5]), Late::Nobody)?;
        self.change(clients, "s3, s5 are drained", &with_down(&[1, 2, 3, 4, 5], &[2, 4]), Late::Nobody)?;
        self.change(clients, "5 → 3, without them", &up(&[1, 3, 5]), Late::Nobody)
    }

    /// Puts another list in force, on servers first, and lets connections go on.
    fn change(&mut self, clients: &Clients, what: &str, servers: &[Entry], late: Late) -> Result<()> {
        step(what);
        let before = clients.broken();
        for host in SERVERS {
            self.apply(host, &[Side::Kept], servers)?;
        }
        if self.first_lives {
            self.apply(FIRST, &Side::BOTH, servers)?;
        }
        if matches!(late, Late::Second) {
            pause(PART)?;
        }
        self.apply(SECOND, &Side::BOTH, servers)?;
        self.go_on(clients, what, before)
    }

    /// The first balancer dies, and the clients' router sends everything to the second.
    fn kill(&mut self, clients: &Clients) -> Result<()> {
        let what = "lb1 is killed";
        step(what);
        let before = clients.broken();
        ip(FIRST, "link set eth0 down")?;
        route(Family::V4, BALANCERS[1].1)?;
        self.first_lives = false;
        self.go_on(clients, what, before)
    }

    /// Writes the file with what `modlb transition` makes of the one before, and applies it.
    fn apply(&self, host: &str, sides: &[Side], servers: &[Entry]) -> Result<()> {
        let file = |name: &str| Path::new(DIRECTORY).join(format!("{host}-{name}.toml"));
        let (old, new, next) = (file("old"), file("new"), file("next"));
        fs::write(&old, self.group.modlb(host, "export")?)?;
        fs::write(&new, configuration(sides, servers))?;
        let text = self.group.modlb(host, &format!("transition {} {}", old.display(), new.display()))?;
        fs::write(&next, text)?;
        self.group.modlb(host, &format!("apply {}", next.display())).map(drop)
    }

    fn go_on(&mut self, clients: &Clients, what: &str, before: [usize; 2]) -> Result<()> {
        pause(PART)?;
        let now = clients.broken();
        let broken = [now[0] - before[0], now[1] - before[1]];
        println!("  broken: {} {}, {} {}", broken[0], Side::BOTH[0].name(), broken[1], Side::BOTH[1].name());
        self.rows.push(Row { what: what.to_owned(), broken });
        Ok(())
    }

    /// Prints what came of it, and checks it.
    fn conclude(&self, clients: &Clients) -> Result<()> {
        step("what every change broke");
        chart::print(Side::BOTH.map(Side::name), &self.rows);
        let (opened, [without, with]) = (clients.opened(), clients.broken());
        for ((side, opened), broken) in Side::BOTH.iter().zip(opened).zip([without, with]) {
            println!("  {:<10} {broken:>5} of {opened} connections broke", side.name());
        }
        step("modlb connections on s1, which left the list");
        println!("{}", self.group.modlb(SERVERS[0], "connections")?);
        let mut handed_on = 0;
        for host in SERVERS {
            handed_on += outcome(&self.group.json(host, "stats")?, "handed_on");
        }
        println!("  the servers handed {handed_on} frames to each other");
        ensure!(with == 0, "connections broke in spite of role keep");
        ensure!(without > 0, "no connection broke without role keep: this shows nothing");
        ensure!(handed_on > 0, "nothing was handed on");
        Ok(())
    }
}

/// Who learns of a change later than the others.
#[derive(Clone, Copy)]
enum Late {
    Nobody,
    Second,
}
