//! The events: each is begun at random and ended at random.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    model::{Model, SEGMENTS},
    random::Random,
    violations::Violations,
    world::World,
};

/// How many events are shown when something is violated.
const SHOWN: usize = 25;

/// A command that is killed is killed within this many milliseconds.
const KILLED_WITHIN: usize = 40;

/// Neighbour entries of one burst: more events than a socket's buffer holds.
const BURST: usize = 4_000;

/// What can happen. `MODLB_SOAK_EVENTS` names some of them, separated by commas: only these happen then.
const KINDS: [&str; 10] =
    ["deaths", "links", "macs", "moves", "routes", "addresses", "agents", "commands", "kills", "bursts"];

pub struct Events<'world> {
    world: &'world mut World,
    model: Arc<Mutex<Model>>,
    violations: Violations,
    start: Instant,
    log: Vec<String>,
    /// Whether the second interface of A or B is in another namespace.
    away: [bool; 2],
    /// Servers that were taken down by a command, for each balancer.
    down: [Option<&'static str>; 2],
    /// How many MACs were given.
    macs: u8,
    kinds: Vec<&'static str>,
}

/// Servers that commands take down.
const SERVERS: [&str; 4] = ["10.0.0.21", "10.0.0.22", "10.0.1.23", "10.0.1.24"];

impl<'world> Events<'world> {
    pub fn new(world: &'world mut World, model: Arc<Mutex<Model>>, violations: Violations) -> Self {
        let (start, log) = (Instant::now(), Vec::new());
        let only = std::env::var("MODLB_SOAK_EVENTS").unwrap_or_default();
        let named = |kind: &&str| only.is_empty() || only.split(',').any(|name| name == *kind);
        let kinds: Vec<_> = KINDS.into_iter().filter(named).collect();
        assert!(!kinds.is_empty(), "MODLB_SOAK_EVENTS={only}: use some of {}", KINDS.join(","));
        Self { world, model, violations, start, log, away: [false; 2], down: [None; 2], macs: 0, kinds }
    }

    pub fn count(&self) -> usize {
        self.log.len()
    }

    pub fn last(&self) -> Vec<String> {
        self.log[self.log.len().saturating_sub(SHOWN)..].to_vec()
    }

    /// The ends of the agents' logs.
    pub fn logs(&self) -> String {
        let logs = self.world.agents.iter().enumerate();
        logs.map(|(host, agent)| format!("agent of host {host}:\n{}\n", agent.log())).collect()
    }

    fn say(&mut self, text: &str) {
        let line = format!("{:8.2} s  {text}", self.start.elapsed().as_secs_f64());
        eprintln!("{line}");
        self.log.push(line);
    }

    /// Makes one happen.
    pub fn one(&mut self, random: &mut Random) {
        match random.pick(&self.kinds) {
            "deaths" => self.serve_or_die(2 + random.below(4)),
            "links" => self.link(random.below(SEGMENTS.len()), random),
            "macs" => self.change_mac(random.below(SEGMENTS.len()), random),
            "moves" => self.move_away_or_back(random.below(2)),
            "routes" => self.route(random.below(2), random),
            "addresses" => self.address(random.below(2), random),
            "agents" => self.agent(random.below(2)),
            "commands" => self.command(random.below(2), random),
            "kills" => self.killed_command(random.below(2), random),
            _ => self.burst(random.below(2)),
        }
    }

    fn serve_or_die(&mut self, host: usize) {
        let serves = !self.world.hosts[host].serving.fetch_xor(true, Ordering::SeqCst);
        self.model.lock().unwrap().serving[host] = serves.then(Instant::now);
        self.say(&format!("host {host} {}", if serves { "serves again" } else { "dies" }));
    }

    fn link(&mut self, host: usize, random: &mut Random) {
        let segment = random.pick(SEGMENTS[host]);
        if self.is_away(host, segment) {
            return;
        }
        let name = interface(host, segment);
        let up = self.model.lock().unwrap().links[host][segment].is_none();
        // Before it goes down, and after it is up.
        if !up {
            self.model.lock().unwrap().links[host][segment] = None;
        }
        let state = if up { "up" } else { "down" };
        self.world.hosts[host].namespace.ip(&format!("link set {name} {state}"));
        if up {
            self.is_well(host, segment);
        }
        self.say(&format!("host {host}: {name} {state}"));
    }

    fn is_away(&self, host: usize, segment: usize) -> bool {
        host < 2 && segment == 1 && self.away[host]
    }

    /// From now on an interface counts as usable. Neighbours ask again, as they would after a gratuitous ARP.
    fn is_well(&self, host: usize, segment: usize) {
        self.world.client.ip(&format!("neigh flush dev eth{segment}"));
        self.model.lock().unwrap().links[host][segment] = Some(Instant::now());
    }

    fn change_mac(&mut self, host: usize, random: &mut Random) {
        let segment = random.pick(SEGMENTS[host]);
        if self.is_away(host, segment) || self.model.lock().unwrap().links[host][segment].is_none() {
            return;
        }
        self.macs = self.macs.wrapping_add(1);
        let index = SEGMENTS[host].iter().position(|it| *it == segment).unwrap();
        let old = self.world.hosts[host].interfaces[index].2.clone();
        let new = format!("02:00:00:{:02x}:{segment:02x}:{:02x}", 1 + host, self.macs);
        let name = interface(host, segment);
        self.model.lock().unwrap().links[host][segment] = None;
        self.model.lock().unwrap().change_mac(bytes(&old), bytes(&new));
        self.world.hosts[host].namespace.ip(&format!("link set {name} address {new}"));
        self.world.hosts[host].interfaces[index].2.clone_from(&new);
        self.is_well(host, segment);
        self.say(&format!("host {host}: {name} gets {new}, it had {old}"));
    }

    /// A balancer's second interface, to another network namespace and back.
    fn move_away_or_back(&mut self, host: usize) {
        let (here, there) = (&self.world.hosts[host].namespace, &self.world.elsewhere);
        let other = format!("from{host}");
        if self.away[host] {
            there.ip(&format!("link set {other} name eth1 netns {}", here.name()));
            here.ip(&format!("addr add {}/24 dev eth1", self.world.hosts[host].interfaces[1].1));
            here.ip("link set eth1 up");
            self.away[host] = false;
            self.is_well(host, 1);
            self.say(&format!("host {host}: eth1 is back"));
        } else {
            self.model.lock().unwrap().links[host][1] = None;
            here.ip(&format!("link set eth1 name {other} netns {}", there.name()));
            self.away[host] = true;
            self.say(&format!("host {host}: eth1 moves to another namespace"));
        }
    }

    /// Adds or removes a route that leads where another one does as well.
    fn route(&mut self, host: usize, random: &mut Random) {
        if self.away[host] || self.model.lock().unwrap().links[host][1].is_none() {
            return;
        }
        let host_namespace = &self.world.hosts[host].namespace;
        let route = random.pick(&["10.0.1.0/25 dev eth1", "10.0.1.23/32 dev eth1", "10.0.0.21/32 dev eth0"]);
        let command = format!("route {} {route}", random.pick(&["replace", "flush"]));
        drop(Command::new("ip").args(["-netns", host_namespace.name()]).args(command.split(' ')).output());
        self.say(&format!("host {host}: ip {command}"));
    }

    fn address(&mut self, host: usize, random: &mut Random) {
        let namespace = self.world.hosts[host].namespace.name().to_owned();
        let address = format!("10.9.9.{}/32", 1 + random.below(3));
        let verb = random.pick(&["add", "del"]);
        drop(Command::new("ip").args(["-netns", &namespace, "addr", verb, &address, "dev", "eth0"]).output());
        self.say(&format!("host {host}: addr {verb} {address} dev eth0"));
    }

    /// Kills an agent, or starts it again.
    fn agent(&mut self, host: usize) {
        let runs = self.world.agents[host].runs();
        if runs {
            self.model.lock().unwrap().agents[host] = None;
            self.world.agents[host].kill();
            self.say(&format!("host {host}: kill -9 of the agent"));
        } else {
            self.world.agents[host].restart();
            self.model.lock().unwrap().agents[host] = Some(Instant::now());
            self.say(&format!("host {host}: the agent starts"));
        }
    }

    /// A command, which may not fail whatever else happens.
    fn command(&mut self, host: usize, random: &mut Random) {
        let arguments = match self.down[host].take() {
            Some(server) => {
                self.model.lock().unwrap().wanted[host] = [Some(Instant::now()); SEGMENTS.len()];
                format!("server up web{host} {server}")
            }
            None if random.once_in(3) => "status".to_owned(),
            None => {
                let server = random.pick(&SERVERS);
                self.down[host] = Some(server);
                let number = 2 + SERVERS.iter().position(|it| *it == server).unwrap();
                self.model.lock().unwrap().wanted[host][number] = None;
                format!("server down web{host} {server}")
            }
        };
        self.say(&format!("host {host}: modlb {arguments}"));
        let Output { status, stderr, .. } = self.world.modlbs[host].output(&arguments);
        if !status.success() {
            let error = String::from_utf8_lossy(&stderr).into_owned();
            self.violations.add(format!("host {host}: modlb {arguments}: {status}: {error}"));
        }
    }

    fn killed_command(&mut self, host: usize, random: &mut Random) {
        let (server, after) = (random.pick(&SERVERS), random.below(KILLED_WITHIN) as u64);
        let arguments = format!("server up web{} {server}", 1 - host);
        let mut command = self.world.modlbs[host].command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        let _ = child.wait();
        self.say(&format!("host {host}: modlb {arguments}, killed after {after} ms"));
    }

    /// More neighbour events than a listener's buffer holds.
    fn burst(&mut self, host: usize) {
        let namespace = self.world.hosts[host].namespace.name();
        let mut ip = Command::new("ip");
        ip.args(["-netns", namespace, "-force", "-batch", "-"]);
        let mut child = ip.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = String::new();
        for number in 0..BURST {
            let (address, mac) = (number % 100 + 100, number % 250);
            lines += &format!("neigh replace 10.0.0.{address} lladdr 02:ff:00:00:00:{mac:02x} dev eth0 nud stale\n");
        }
        (100..200).for_each(|address| lines += &format!("neigh del 10.0.0.{address} dev eth0\n"));
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        let _ = child.wait();
        self.say(&format!("host {host}: {BURST} events of neighbours"));
    }
}

/// The name of a host's interface on a segment.
fn interface(host: usize, segment: usize) -> String {
    format!("eth{}", SEGMENTS[host].iter().position(|it| *it == segment).unwrap())
}

fn bytes(mac: &str) -> [u8; 6] {
    let bytes: Vec<u8> = mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}
