//! A site with two balancers.
//!
//! ```text
//!                                  br0 in `switch`
//!  clients ── router ────┬───────────┬───────────┬─────────┬─────────┐
//!  198.51.100.100…       10.0.0.3   lb1         lb2       s0        s1 …  with the services' addresses on lo
//!                                   10.0.0.1    10.0.0.2  10.0.0.11 10.0.0.12
//! ```

use std::{fs, net::IpAddr, path::Path, process::Command, thread, time::Duration};

use crate::support::{
    modlb::Modlb,
    namespace::{Namespace, run},
    network::{SERVICES, host, name, server_address},
    paced::{Downloads, Probe, Server},
};

/// The number of servers, which is N.
pub const SERVERS: u8 = 3;

/// Client addresses of each family.
const CLIENTS: u8 = 20;

/// Downloads from each client address: with both families 400 at a time.
const EACH: usize = 10;

/// One of the two.
pub struct Balancer {
    // Before the namespace, so that it is detached first.
    pub modlb: Modlb,
    pub namespace: Namespace,
    /// Its name in keepalived's configuration.
    pub label: &'static str,
    number: u8,
}

/// The site.
pub struct Site {
    pub balancers: [Balancer; 2],
    pub router: Namespace,
    pub clients: Namespace,
    servers: Vec<(Server, Namespace)>,
    switch: Namespace,
}

impl Site {
    /// Builds one whose router has no route to the services yet.
    pub fn new() -> Self {
        let switch = Namespace::new("switch");
        // Without snooping the bridge floods VRRP's multicast.
        switch.ip("link add br0 type bridge mcast_snooping 0");
        switch.ip("link set br0 up");
        let balancers = [("lb1", 1), ("lb2", 2)].map(|(label, number)| {
            let namespace = host(&switch, label, number);
            forward(&namespace);
            // The kernel must not forward packets that a balancer on standby passes to it.
            SERVICES.into_iter().for_each(|service| namespace.ip(&format!("route add blackhole {service}")));
            Balancer { modlb: Modlb::new(&namespace), namespace, label, number }
        });
        let (router, clients) = outside(&switch);
        let servers = (0..SERVERS).map(|number| server(&switch, number)).collect();
        Self { balancers, router, clients, servers, switch }
    }

    /// Attaches both natively with one configuration.
    pub fn attach(&self, arguments: &str) {
        for balancer in &self.balancers {
            self.pass(balancer, "");
            balancer.modlb.attach(&format!("eth0 --mode native {arguments}"), &configuration());
        }
    }

    /// A veth takes frames that XDP sends back only if its peer has a program.
    fn pass(&self, balancer: &Balancer, remove: &str) {
        let mut modlb = Command::new(env!("CARGO_BIN_EXE_modlb"));
        modlb.args(["--netns", self.switch.name(), "dev", "pass", &format!("v-{}", balancer.label)]);
        let output = modlb.args(remove.split_whitespace()).output().unwrap();
        assert!(!remove.is_empty() || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Replaces the router's route to a service.
    pub fn route(&self, service: IpAddr, hops: &str) {
        let family = if service.is_ipv4() { "-4" } else { "-6" };
        self.router.ip(&format!("{family} route replace {service} {hops}"));
    }

    /// Downloads by both families, 200 of each.
    pub fn download(&self) -> [Downloads; 2] {
        SERVICES.map(|service| Downloads::start(&self.clients, &clients(service), service, EACH))
    }

    /// Runs `event` while 400 connections are in mid-transfer, and asserts that none breaks. Returns for how long
    /// clients of IPv4 and IPv6 had no service.
    pub fn survives(&self, what: &str, event: impl FnOnce()) -> [Duration; 2] {
        let downloads = self.download();
        let probes = SERVICES.map(|service| Probe::start(&self.clients, clients(service)[0], service));
        thread::sleep(Duration::from_millis(500));
        event();
        let running = downloads.iter().map(Downloads::running).sum::<usize>();
        let all = downloads.iter().map(Downloads::len).sum::<usize>();
        if running < all {
            let broken = downloads.map(|mut downloads| downloads.finish().broken);
            panic!("{what}: {} of {all} downloads broke meanwhile: {broken:?}", all - running);
        }
        let outcomes = downloads.map(|mut downloads| downloads.finish());
        let gaps = probes.map(Probe::stop);
        for (service, outcome) in SERVICES.iter().zip(&outcomes) {
            let broken = &outcome.broken;
            assert!(broken.is_empty(), "{what}: {service}: {} broke: {broken:?}", broken.len());
            assert_eq!(outcome.servers.len(), usize::from(SERVERS), "{what}: {service}: not all servers served");
        }
        let complete = outcomes.iter().map(|outcome| outcome.complete).sum::<usize>();
        assert_eq!(complete, all, "{what}");
        let [four, six] = gaps.map(|gap| gap.as_millis());
        println!(
            "{what}: {all} connections in mid-transfer, 0 broken; without service {four} ms (IPv4), {six} ms (IPv6)"
        );
        gaps
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for balancer in &self.balancers {
            self.pass(balancer, "--remove");
        }
        self.servers.clear();
        let _ = fs::remove_dir("/run/modlb-server");
    }
}

impl Balancer {
    /// How many packets it has forwarded to servers.
    pub fn forwarded(&self) -> u64 {
        self.modlb.json("stats")["outcomes"]["forwarded"]["packets"].as_u64().unwrap()
    }

    /// `active` or `standby`.
    pub fn state(&self) -> String {
        self.modlb.json("status")["state"].as_str().unwrap().to_owned()
    }

    /// The digest of its configuration.
    pub fn digest(&self) -> String {
        self.modlb.json("status")["digest"].as_str().unwrap().to_owned()
    }

    /// Its address as the router's next hop.
    pub fn hop(&self, service: IpAddr) -> String {
        if service.is_ipv4() { format!("10.0.0.{}", self.number) } else { format!("fd00::{}", self.number) }
    }

    /// Cuts it off.
    pub fn link_down(&self) {
        self.namespace.ip("link set eth0 down");
    }

    /// Connects it again, with the addresses that it would have after booting.
    pub fn link_up(&self) {
        self.namespace.ip("link set eth0 up");
        self.namespace.ip(&format!("addr replace {}/64 dev eth0 nodad", self.hop(SERVICES[1])));
    }
}

/// A service of each family for all protocols and ports, so that downloads and echoes belong to it.
pub fn configuration() -> String {
    let mut text = String::new();
    for service in SERVICES {
        text += &format!("[[service]]\nname = \"{}\"\naddress = \"{service}\"\n", name(service));
        for number in 0..SERVERS {
            text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(service.is_ipv6(), number));
        }
    }
    text
}

/// The clients of a service's family.
pub fn clients(service: IpAddr) -> Vec<IpAddr> {
    let text = |number| {
        if service.is_ipv4() { format!("198.51.100.{number}") } else { format!("2001:db8:c::{number}") }
    };
    (100..100 + CLIENTS).map(|number| text(number).parse().unwrap()).collect()
}

/// The router and the clients behind it.
fn outside(switch: &Namespace) -> (Namespace, Namespace) {
    let router = host(switch, "router", 3);
    let outside = Namespace::new("clients");
    router.ip(&format!("link add eth1 type veth peer name eth0 netns {}", outside.name()));
    outside.ip("link set eth0 up");
    router.ip("link set eth1 up");
    outside.run("ethtool", "-K eth0 tx off");
    router.ip("addr add 198.51.100.1/24 dev eth1");
    router.ip("addr add 2001:db8:c::1/64 dev eth1 nodad");
    for service in SERVICES {
        for client in clients(service) {
            let rest = if client.is_ipv4() { "/24 dev eth0" } else { "/64 dev eth0 nodad" };
            outside.ip(&format!("addr add {client}{rest}"));
        }
    }
    outside.ip("route add default via 198.51.100.1");
    outside.ip("-6 route add default via 2001:db8:c::1");
    forward(&router);
    (router, outside)
}

/// Lets the kernel forward packets.
fn forward(namespace: &Namespace) {
    namespace.within(|| {
        for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            fs::write(format!("/proc/sys/net/{setting}"), "1").unwrap();
        }
    });
}

fn server(switch: &Namespace, number: u8) -> (Server, Namespace) {
    let namespace = host(switch, &format!("s{number}"), 11 + number);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/server-setup.sh");
    run(Command::new(script).args(["--netns", namespace.name()]).args(SERVICES.map(|service| service.to_string())));
    // The script need not undo anything, since the namespace is removed.
    let _ = fs::remove_dir_all(Path::new("/run/modlb-server").join(namespace.name()));
    namespace.ip("route add 198.51.100.0/24 via 10.0.0.3");
    namespace.ip("route add 2001:db8:c::/64 via fd00::3");
    (Server::start(&namespace, number), namespace)
}
