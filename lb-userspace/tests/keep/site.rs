//! A client, balancers and servers that keep connections, on one Ethernet segment; or a group of servers.

use std::{fmt::Write as _, net::IpAddr, path::Path, process::Command, slice::SliceIndex};

use crate::support::{
    modlb::Modlb,
    namespace::{Namespace, run},
    network::{SERVICES, client_address, host, name, server_address},
    nft,
    paced::Server,
};

/// The client's addresses in each family.
pub const CLIENTS: u8 = 8;

/// What a member's configuration begins with.
pub const GROUP: &str = "role = \"member\"\ngroup_mac = \"01:00:5e:7f:00:09\"\nanswer_arp = true\n";

/// The segment.
pub struct Site {
    pub balancers: Vec<Modlb>,
    pub keepers: Vec<Modlb>,
    pub servers: Vec<Server>,
    /// Network namespaces of the servers' own, behind them; mostly none.
    pub containers: Vec<Namespace>,
    pub hosts: Vec<Namespace>,
    _gateways: Vec<Namespace>,
    pub client: Namespace,
    pub switch: Namespace,
}

/// A server in a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    pub number: u8,
    pub weight: u32,
    pub down: bool,
}

/// What a configuration says of each service's servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lists {
    /// The servers, in their order.
    pub servers: Vec<Entry>,
    /// Earlier lists, the newest first.
    pub previous: Vec<Vec<Entry>>,
}

impl Entry {
    pub const fn up(number: u8) -> Self {
        Self { number, weight: 1, down: false }
    }
}

impl Lists {
    pub fn of(servers: impl IntoIterator<Item = u8>) -> Self {
        Self { servers: servers.into_iter().map(Entry::up).collect(), ..Self::default() }
    }

    /// The next configuration, which knows this one. A list that differs in states alone is known as well.
    #[must_use]
    pub fn then(&self, servers: Vec<Entry>) -> Self {
        let mut previous = vec![self.servers.clone()];
        previous.extend(self.previous.iter().cloned());
        previous.truncate(8);
        Self { servers, previous }
    }

    /// The same with servers of weight 1, of which some are down.
    #[must_use]
    pub fn then_of(&self, servers: impl IntoIterator<Item = u8>, down: &[u8]) -> Self {
        let entry = |number| Entry { down: down.contains(&number), ..Entry::up(number) };
        self.then(servers.into_iter().map(entry).collect())
    }

    /// As a file.
    pub fn configuration(&self, what: &str) -> String {
        let mut text = String::new();
        for service in SERVICES {
            let address = |number: u8| server_address(service.is_ipv6(), number);
            let _ = writeln!(text, "[[service]]\nname = \"{}\"\naddress = \"{service}\"\n{what}", name(service));
            let previous: Vec<_> = self.previous.iter().map(|servers| list(servers, address)).collect();
            if !previous.is_empty() {
                let _ = writeln!(text, "previous = [{}]", previous.join(", "));
            }
            for Entry { number, weight, down } in &self.servers {
                let _ = writeln!(text, "[[service.server]]\naddress = \"{}\"\nweight = {weight}", address(*number));
                if *down {
                    text += "state = \"down\"\n";
                }
            }
        }
        text
    }
}

fn list(servers: &[Entry], address: impl Fn(u8) -> IpAddr) -> String {
    let entry = |Entry { number, weight, down }: &Entry| {
        format!("\"{} weight {weight}{}\"", address(*number), if *down { " down" } else { "" })
    };
    format!("[{}]", servers.iter().map(entry).collect::<Vec<_>>().join(", "))
}

impl Site {
    /// Builds one whose servers send downloads. Nothing is attached yet. Traffic goes by the first balancer.
    pub fn new(balancers: u8, servers: u8) -> Self {
        let mut site = Self::bare(balancers, servers);
        site.servers = (0..).zip(&site.hosts).map(|(number, host)| Server::start(host, number)).collect();
        site
    }

    /// The same, where each server's sockets are in a container: the services' addresses are there, not on the host.
    pub fn contained(balancers: u8, servers: u8) -> Self {
        let mut site = Self::with(balancers, servers, host_with_forwarding);
        site.containers = (0..servers).map(|number| Namespace::new(&format!("c{number}"))).collect();
        for number in 0..usize::from(servers) {
            site.connect_container(number);
            site.servers.push(Server::start(&site.containers[number], number as u8));
        }
        site
    }

    /// Connects a container with its host.
    pub fn connect_container(&self, number: usize) {
        let (host, container) = (&self.hosts[number], &self.containers[number]);
        host.within(|| std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
        container.within(|| std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
        host.ip(&format!("link add inner type veth peer name eth0 netns {}", container.name()));
        host.ip("link set inner up");
        container.ip("link set eth0 up");
        for (network, length) in [("10.88.0.", 24), ("fd88::", 64)] {
            let family = if length == 24 { "-4" } else { "-6" };
            host.ip(&format!("{family} addr add {network}1/{length} dev inner"));
            container.ip(&format!("{family} addr add {network}2/{length} dev eth0"));
            container.ip(&format!("{family} route add default via {network}1"));
        }
        for service in SERVICES {
            let (via, length) = if service.is_ipv4() { ("10.88.0.2", "32") } else { ("fd88::2", "128 nodad") };
            container.ip(&format!("addr add {service}/{length} dev lo"));
            host.ip(&format!("route add {service} via {via}"));
        }
    }

    /// The same as [`Site::new`], where nobody listens.
    pub fn bare(balancers: u8, servers: u8) -> Self {
        Self::with(balancers, servers, server)
    }

    fn with(balancers: u8, servers: u8, server: fn(&Namespace, u8) -> Namespace) -> Self {
        let switch = Namespace::new("switch");
        switch.ip("link add br0 type bridge");
        switch.ip("link set br0 up");
        let gateways: Vec<_> =
            (0..balancers).map(|number| host(&switch, &format!("b{number}"), 200 + number)).collect();
        let client = host(&switch, "client", 2);
        for number in 0..CLIENTS {
            client.ip(&format!("addr add {}/24 dev eth0", client_address(false, number)));
            client.ip(&format!("addr add {}/64 dev eth0 nodad", client_address(true, number)));
        }
        let hosts: Vec<_> = (0..servers).map(|number| server(&switch, number)).collect();
        let site = Self {
            balancers: gateways.iter().map(Modlb::new).collect(),
            keepers: hosts.iter().map(Modlb::new).collect(),
            servers: Vec::new(),
            containers: Vec::new(),
            hosts,
            _gateways: gateways,
            client,
            switch,
        };
        site.route_by(0);
        site
    }

    /// A group instead: every server receives what the client sends. See [`GROUP`].
    #[must_use]
    pub fn into_group(self) -> Self {
        // With snooping the bridge floods only as long as no querier is on the segment.
        self.switch.ip("link set br0 type bridge mcast_snooping 0");
        for service in SERVICES {
            self.client.ip(&format!("route replace {service} dev eth0"));
        }
        self
    }

    /// Lets the client's packets go by this balancer.
    pub fn route_by(&self, balancer: u8) {
        for service in SERVICES {
            let via = if service.is_ipv4() { "10.0.0" } else { "fd00:" };
            let number = 200 + balancer;
            let via = if service.is_ipv4() { format!("{via}.{number}") } else { format!("{via}:{number:x}") };
            self.client.ip(&format!("route replace {service} via {via}"));
        }
    }

    /// Drops packets at the client: a chain, `input` or `output`, and what of it.
    pub fn drop_at_client(&self, rule: Option<(&str, &str)>) {
        let chain = rule.map_or_else(String::new, |(hook, what)| {
            format!("chain drops {{\ntype filter hook {hook} priority 0\n{what} drop\n}}\n")
        });
        let table = "table inet drops";
        nft::load(&self.client, &format!("{table} {{}}\ndelete {table}\n{table} {{\n{chain}}}\n"));
    }

    /// Keeps the ACKs from servers by which they would learn that a client got the SYN-ACK.
    pub fn drop_acks(&self) {
        self.drop_at_client(Some(("output", "tcp flags & (syn | ack) == ack")));
    }

    /// Sets a variable of IPv4 on some servers.
    pub fn sysctl(&self, servers: impl SliceIndex<[Namespace], Output = [Namespace]>, key: &str, value: &str) {
        for host in &self.hosts[servers] {
            host.within(|| std::fs::write(format!("/proc/sys/net/ipv4/{key}"), value).unwrap());
        }
    }

    /// Ends what serves on all servers.
    pub fn stop_servers(&mut self) {
        self.servers.clear();
    }

    /// Attaches all balancers and, if `keep`, role `keep` on all servers.
    pub fn attach(&self, configuration: &str, keep: Option<&str>) {
        self.attach_each(|_| configuration.to_owned(), keep);
    }

    /// The same with a configuration for each server, by its number; balancers have that of the first.
    pub fn attach_each(&self, configuration: impl Fn(usize) -> String, keep: Option<&str>) {
        if let Some(options) = keep {
            for (number, keeper) in self.keepers.iter().enumerate() {
                keeper.attach(&format!("eth0 --role keep {options}"), &configuration(number));
            }
        }
        for balancer in &self.balancers {
            balancer.attach("eth0 --mode generic", &configuration(0));
        }
    }

    /// The client's addresses of a service's family.
    pub fn clients(service: IpAddr) -> Vec<IpAddr> {
        (0..CLIENTS).map(|number| client_address(service.is_ipv6(), number)).collect()
    }

    /// The sum of an outcome's packets over all servers.
    pub fn outcome(&self, outcome: &str) -> u64 {
        let packets = |keeper: &Modlb| keeper.json("stats")["outcomes"][outcome]["packets"].as_u64().unwrap();
        self.keepers.iter().map(packets).sum()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.servers.clear();
        for host in &self.hosts {
            let _ = std::fs::remove_dir_all(Path::new("/run/modlb-server").join(host.name()));
        }
        let _ = std::fs::remove_dir("/run/modlb-server");
    }
}

fn server(switch: &Namespace, number: u8) -> Namespace {
    let namespace = host(switch, &format!("s{number}"), 11 + number);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/server-setup.sh");
    run(Command::new(script).args(["--netns", namespace.name()]).args(SERVICES.map(|service| service.to_string())));
    namespace
}

fn host_with_forwarding(switch: &Namespace, number: u8) -> Namespace {
    let namespace = host(switch, &format!("s{number}"), 11 + number);
    namespace.run("sysctl", "-wq net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1");
    namespace
}
