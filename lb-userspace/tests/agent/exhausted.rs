//! Health checks where this host runs out of what they need: that is not held against servers.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::{
    need_root,
    process::{Agent, on_eth0, replace, server},
    support::{
        network::{Network, SERVICES, name, server_address},
        wait::{PATIENCE, wait},
    },
};

const SERVERS: u8 = 3;

/// Long enough for a busy machine, since no attempt may fail.
const HEALTHY: &str = "check = { kind = \"tcp\", port = 80, interval = 1, timeout = 1, fall = 1 }";

/// How many attempts must have failed because of this host.
const ENOUGH: f64 = 20.0;

/// How often the agent reports the same reason.
const REPEAT: Duration = Duration::from_secs(60);

/// An agent whose metrics are at a Unix socket.
struct Watched<'a> {
    network: &'a Network,
    agent: Agent,
    socket: PathBuf,
    start: Instant,
}

impl<'a> Watched<'a> {
    /// May have this many files open.
    fn new(network: &'a Network, file: &Path, files: Option<u64>) -> Self {
        let socket = file.with_file_name("metrics");
        let listen = format!("--mode generic --listen unix:{}", socket.display());
        let start = Instant::now();
        let agent = Agent::spawn_with(&network.modlb, file, &listen, |command, _| {
            let Some(files) = files else { return };
            // SAFETY: setrlimit may be called between fork and exec.
            unsafe { command.pre_exec(move || Ok(setrlimit(Resource::RLIMIT_NOFILE, files, files)?)) };
        });
        agent.notifies("READY=1");
        Self { network, agent, socket, start }
    }

    /// Lets it open no file whose number is not below this.
    fn limit_files(&self, files: u64) {
        self.network.gateway.run("prlimit", &format!("--pid {} --nofile={files}:", self.agent.pid()));
    }

    /// The sum of a family's series that contain this.
    fn metric(&self, family: &str, containing: &str) -> f64 {
        let options =
            format!("--silent --max-time 60 --unix-socket {} http://localhost/metrics", self.socket.display());
        let text = self.network.gateway.run("curl", &options);
        assert!(text.contains("modlb_up 1"), "{text}");
        let lines = text.lines().filter(|line| line.starts_with(family) && line.contains(containing));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    fn local_errors(&self, reason: &str) -> f64 {
        self.metric("modlb_check_local_errors_total{", &format!("reason=\"{reason}\""))
    }

    /// No healthy server has failed a single attempt.
    fn nothing_failed(&self) {
        for service in SERVICES {
            let label = format!("service=\"{}\"", name(service));
            assert_eq!(self.metric("modlb_check_failures_total{", &label), 0.0, "{}", self.agent.log());
            for number in 0..SERVERS {
                let shown = server(&self.network.modlb, name(service), server_address(service.is_ipv6(), number));
                assert_eq!(shown["state"], "up", "{shown}\n{}", self.agent.log());
            }
        }
        assert_eq!(self.agent.count("failing, was up"), 0, "{}", self.agent.log());
    }

    /// It was reported, and not again and again.
    fn reported(&self, what: &str) {
        let most = 1 + (self.start.elapsed().as_secs() / REPEAT.as_secs()) as usize;
        let lines = self.agent.count(what);
        assert!((1..=most).contains(&lines), "{lines} of at most {most}:\n{}", self.agent.log());
    }

    /// Attempts are made again, of every healthy server, and none fails because of this host.
    fn recovers(&self) {
        let made = || {
            let servers = SERVICES.into_iter().flat_map(|service| (0..SERVERS).map(move |number| (service, number)));
            let labels = servers.map(|(service, number)| {
                format!("service=\"{}\",server=\"{}\"", name(service), server_address(service.is_ipv6(), number))
            });
            labels.map(|labels| self.metric("modlb_check_attempts_total{", &labels)).collect::<Vec<_>>()
        };
        // Those that were under way.
        let start = made();
        let more = |made: Vec<f64>, than: &[f64], by: f64| made.iter().zip(than).all(|(made, than)| *made >= than + by);
        wait(|| more(made(), &start, 1.0), || format!("not all are checked\n{}", self.agent.log()));
        let (before, errors) = (made(), self.metric("modlb_check_local_errors_total{", ""));
        wait(|| more(made(), &before, 2.0), || format!("not all are checked\n{}", self.agent.log()));
        assert_eq!(self.metric("modlb_check_local_errors_total{", ""), errors, "{}", self.agent.log());
    }
}

/// Many checks of silent servers are due, and the agent may have hardly more files open than it needs without checks:
/// checks leave it what it needs, and healthy servers are checked among them.
#[test]
fn silent_servers_do_not_take_the_files_of_others() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    for namespace in network.server_namespaces() {
        namespace.run("nft", "add table inet silent");
        namespace.run("nft", "add chain inet silent in { type filter hook input priority 0 ; }");
        namespace.run("nft", "add rule inet silent in tcp dport 82 drop");
    }
    let healthy = on_eth0(&network.configuration(SERVERS, HEALTHY));
    let mut text = healthy.clone();
    for number in 0..60 {
        text += &format!("[[service]]\nname = \"s{number}\"\naddress = \"198.51.100.{number}\"\n");
        text += "check = { kind = \"tcp\", port = 82, interval = 0.2, timeout = 0.2, fall = 1000 }\n";
        for server in 0..SERVERS {
            text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(false, server));
        }
    }
    let file = network.modlb.file("agent.toml", &text);
    let watched = Watched::new(&network, &file, Some(60));
    watched.recovers();
    // A change of the file needs files as well.
    for number in (50..60).rev() {
        text.truncate(text.find(&format!("[[service]]\nname = \"s{number}\"")).unwrap());
        replace(&file, &text);
        wait(|| !network.modlb.ok("services").contains(&format!("s{number} ")), || watched.agent.log());
    }
    assert_eq!(watched.agent.count("Too many open files"), 0, "{}", watched.agent.log());
    watched.nothing_failed();
    watched.agent.stop();
}

/// The limit is lowered while the agent runs, so that it can open nothing more.
#[test]
fn no_server_fails_for_want_of_files() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(SERVERS, HEALTHY)));
    let watched = Watched::new(&network, &file, None);
    for check in [HEALTHY, &HEALTHY.replace("tcp", "icmp").replace("port = 80, ", "")] {
        replace(&file, &on_eth0(&network.configuration(SERVERS, check)));
        watched.recovers();
        let before = watched.local_errors("files");
        watched.limit_files(3);
        // Nor can it answer meanwhile.
        sleep(Duration::from_secs(6));
        watched.limit_files(1_024);
        assert!(watched.local_errors("files") > before, "{}", watched.agent.log());
        watched.nothing_failed();
        watched.recovers();
    }
    watched.reported("too many files are open");
    watched.agent.stop();
}

/// Connects from the current namespace, as soon as there is a port for it. Leaves none in TIME_WAIT.
fn hold(to: SocketAddr) -> Socket {
    let start = Instant::now();
    loop {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        match socket.connect(&to.into()) {
            Ok(()) => return socket,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{to}: {error}"),
        }
    }
}

/// Other connections to the same servers have all ports of this host.
#[test]
fn no_server_fails_for_want_of_ports() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    // An even number of them, as the kernel leaves the last one out of others.
    let ports = 40_000..=40_001_u16;
    let range = format!("{} {}", ports.start(), ports.end());
    network.gateway.within(|| fs::write("/proc/sys/net/ipv4/ip_local_port_range", range).unwrap());
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(SERVERS, HEALTHY)));
    let watched = Watched::new(&network, &file, None);
    for six in [false, true] {
        let servers: Vec<IpAddr> = (0..SERVERS).map(|number| server_address(six, number)).collect();
        let before = watched.local_errors("ports");
        let held: Vec<_> = network.gateway.within(|| {
            let each = servers.iter().flat_map(|server| ports.clone().map(|_| SocketAddr::new(*server, 80)));
            each.map(hold).collect()
        });
        wait(|| watched.local_errors("ports") >= before + ENOUGH, || watched.agent.log());
        watched.nothing_failed();
        drop(held);
        watched.recovers();
    }
    watched.reported("no local port is free");
    watched.nothing_failed();
    watched.agent.stop();
}
