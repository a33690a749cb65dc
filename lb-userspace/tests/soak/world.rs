//! Two segments with two balancers, four servers and a client.
//!
//! ```text
//!   br0, 10.0.0.0/24:  client .2   A .11   B .12   servers .21 .22
//!   br1, 10.0.1.0/24:  client .2   A .11   B .12   servers .23 .24
//! ```

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

use crate::support::{modlb::Modlb, namespace::Namespace, wait::wait};

/// The services' addresses. Clients reach the first by A, the second by B.
pub const SERVICES: [&str; 2] = ["203.0.113.10", "203.0.113.11"];
pub const UDP_PORT: u16 = 9_000;
pub const CHECK_PORT: u16 = 80;

/// A host and its interfaces.
pub struct Host {
    pub namespace: Namespace,
    /// For each interface: segment, address, and MAC when it was made.
    pub interfaces: Vec<(u8, String, String)>,
    /// Whether its processes serve.
    pub serving: Arc<AtomicBool>,
}

/// A running agent.
pub struct Agent {
    command: Box<dyn Fn() -> Command>,
    child: Option<Child>,
    log: PathBuf,
    modlb: Arc<Modlb>,
}

pub struct World {
    // Before the namespaces, so that instances are detached first.
    pub agents: Vec<Agent>,
    pub modlbs: Vec<Arc<Modlb>>,
    /// A and B first, then the other servers.
    pub hosts: Vec<Host>,
    pub client: Namespace,
    pub elsewhere: Namespace,
    pub switch: Namespace,
}

impl World {
    pub fn new() -> Self {
        let switch = Namespace::new("switch");
        for bridge in ["br0", "br1"] {
            switch.ip(&format!("link add {bridge} type bridge mcast_snooping 0"));
            switch.ip(&format!("link set {bridge} up"));
        }
        let both: &[u8] = &[0, 1];
        let numbers = [(11, both), (12, both), (21, &both[..1]), (22, &both[..1]), (23, &both[1..]), (24, &both[1..])];
        let hosts: Vec<_> = numbers.into_iter().map(|(number, on)| host(&switch, number, on)).collect();
        let client = host(&switch, 2, both).namespace;
        for (service, balancer) in SERVICES.iter().zip(["10.0.0.11", "10.0.0.12"]) {
            client.ip(&format!("route add {service} via {balancer}"));
        }
        for host in &hosts {
            for service in SERVICES {
                host.namespace.ip(&format!("addr add {service}/32 dev lo"));
            }
            let sysctl = "-w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 \
                          net.ipv4.conf.all.arp_notify=1 net.ipv4.conf.all.rp_filter=0";
            host.namespace.run("sysctl", sysctl);
        }
        let modlbs: Vec<_> = hosts[..2].iter().map(|host| Arc::new(Modlb::new(&host.namespace))).collect();
        let agents = modlbs.iter().map(Agent::start).collect();
        Self { agents, modlbs, hosts, client, elsewhere: Namespace::new("elsewhere"), switch }
    }
}

fn host(switch: &Namespace, number: u8, segments: &[u8]) -> Host {
    let namespace = Namespace::new(&format!("h{number}"));
    let mut interfaces = Vec::new();
    for segment in segments {
        // Every host's first interface is eth0, whichever segment it is on.
        let (name, mac) = (format!("eth{}", interfaces.len()), format!("02:00:00:00:{segment:02x}:{number:02x}"));
        let (port, address) = (format!("v{number}-{segment}"), format!("10.0.{segment}.{number}"));
        let peer = format!("peer name {name} netns {} address {mac}", namespace.name());
        switch.ip(&format!("link add {port} type veth {peer}"));
        switch.ip(&format!("link set {port} master br{segment} up"));
        namespace.ip(&format!("link set {name} up"));
        namespace.ip(&format!("addr add {address}/24 dev {name}"));
        namespace.run("ethtool", &format!("-K {name} tx off gro off"));
        interfaces.push((*segment, address, mac));
    }
    Host { namespace, interfaces, serving: Arc::new(AtomicBool::new(true)) }
}

/// Both balancers have the same file.
fn configuration() -> String {
    let mut text = "interfaces = [\"eth0\", \"eth1\"]\n".to_owned();
    for (number, service) in SERVICES.iter().enumerate() {
        text += &format!(
            "[[service]]\nname = \"web{number}\"\naddress = \"{service}\"\nprotocol = \"udp\"\nport = {UDP_PORT}\n\
             formula = \"5-tuple\"\n[service.check]\nkind = \"tcp\"\nport = {CHECK_PORT}\ninterval = 0.3\n\
             timeout = 0.2\nfall = 2\nrise = 1\n"
        );
        for server in ["10.0.0.11", "10.0.0.12", "10.0.0.21", "10.0.0.22", "10.0.1.23", "10.0.1.24"] {
            text += &format!("[[service.server]]\naddress = \"{server}\"\n");
        }
    }
    text
}

impl Agent {
    fn start(modlb: &Arc<Modlb>) -> Self {
        let file = modlb.file("soak.toml", &configuration());
        let log: PathBuf = file.with_extension("log");
        let owner = Arc::clone(modlb);
        let path = log.clone();
        let command = move || {
            let mut command = owner.command("agent --listen none --mode generic --config");
            let log = File::options().create(true).append(true).open(&path).unwrap();
            command.arg(&file).stdin(Stdio::null()).stderr(log);
            command
        };
        let mut agent = Self { command: Box::new(command), child: None, log, modlb: Arc::clone(modlb) };
        agent.restart();
        agent
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        const LINES: usize = 40;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    pub fn restart(&mut self) {
        self.child = Some((self.command)().spawn().unwrap());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether it is there; one that ended by itself is not.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn wait_until_ready(&self) {
        let up = || self.modlb.output("status").status.success();
        wait(up, || "an agent does not make its instance".to_owned());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}
