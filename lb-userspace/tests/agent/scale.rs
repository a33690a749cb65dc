//! An agent of a large instance. Runs only on request: `cargo test --release --test agent -- --ignored --nocapture
//! scale`.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    https::{Identity, PORT, WebServer},
    need_root,
    process::{Agent, on_eth0},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const SERVICES: u32 = 1_000;
const SERVERS: u32 = 100;

/// For how long the idle agent is watched.
const IDLE: Duration = Duration::from_secs(10);

/// The clock ticks that a process has used, its resident memory in MB, and the part of that in anonymous memory; the
/// rest is the instance's maps and the executable.
fn used(pid: i32) -> (u64, u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let megabytes = |key: &str| {
        let kilobytes = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        kilobytes.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
    };
    (ticks, megabytes("VmRSS:"), megabytes("RssAnon:"))
}

/// All services share a hundred servers, of which a few exist; the agent looks after each as a neighbour.
#[test]
#[ignore = "takes long, and its figures count only in a release build"]
fn an_idle_agent_uses_little_cpu() {
    need_root!();
    let network = Network::new(8, 1);
    for number in 8..SERVERS {
        network
            .gateway
            .ip(&format!("neigh replace 10.0.0.{} lladdr 02:00:00:00:01:{number:02x} dev eth0", 11 + number));
    }
    let mut text = "interfaces = [\"eth0\"]\n".to_owned();
    for service in 0..SERVICES {
        let (high, low) = (service >> 8, service & 255);
        write!(
            text,
            "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{high}.{low}\"\nprotocol = \"tcp\"\nport = 80\n"
        )
        .unwrap();
        for server in 0..SERVERS {
            write!(text, "[[service.server]]\naddress = \"10.0.0.{}\"\n", 11 + server).unwrap();
        }
    }
    let file = network.modlb.file("agent.toml", &text);
    let start = Instant::now();
    let capacity = "--mode generic --max-servers 131072";
    let agent = Agent::start(&network.modlb, &file, capacity);
    println!("made the instance of {SERVICES} services × {SERVERS} servers in {:?}", start.elapsed());
    agent.stop();
    let start = Instant::now();
    let agent = Agent::start(&network.modlb, &file, "--mode generic");
    println!("started again in {:?}", start.elapsed());
    std::thread::sleep(Duration::from_secs(5));
    let (before, ..) = used(agent.pid().as_raw());
    std::thread::sleep(IDLE);
    let (after, resident, own) = used(agent.pid().as_raw());
    // User space sees ticks of a hundredth of a second, whatever the kernel's own are.
    let percent = (after - before) as f64 / IDLE.as_secs_f64();
    println!("idle: {percent:.2} % of a CPU, {resident} MB resident, {own} of them its own");
    assert!(cfg!(debug_assertions) || percent < 0.5, "{percent} %\n{}", agent.log());
}

/// Services with this check, which share some servers, and what they cost.
struct Checked<'a> {
    network: &'a Network,
    check: String,
    services: u32,
    servers: u8,
    /// Services of [`SERVERS`] servers that are not checked; metrics are scraped only if there are any.
    others: u32,
    /// The root certificates of the agent's host.
    roots: Option<&'a Path>,
}

impl Checked<'_> {
    fn configuration(&self) -> String {
        let mut text = String::new();
        for service in 0..self.services + self.others {
            let (high, low) = (service >> 8, service & 255);
            write!(
                text,
                "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{high}.{low}\"\nprotocol = \"tcp\"\nport = 80\n"
            )
            .unwrap();
            let is_checked = service < self.services;
            if is_checked {
                writeln!(text, "check = {{ {} }}", self.check).unwrap();
            }
            for server in 0..if is_checked { self.servers.into() } else { SERVERS } {
                writeln!(text, "[[service.server]]\naddress = \"10.0.0.{}\"", 11 + server).unwrap();
            }
        }
        on_eth0(&text)
    }

    /// Prints checks a second, CPU time and lateness. No attempt may fail.
    fn measure(&self) {
        let Self { network, others, .. } = self;
        let file = network.modlb.file("agent.toml", &self.configuration());
        let options = "--mode generic --max-servers 131072 --listen 127.0.0.1:9652 --max-servers-in-metrics 100000";
        let agent = Agent::spawn_with(&network.modlb, &file, options, |command, _| {
            if let Some(roots) = self.roots {
                command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
            }
        });
        agent.notifies("READY=1");
        let scrape = || network.gateway.run("curl", "--silent --max-time 60 http://127.0.0.1:9652/metrics");
        let value = |text: &str, series: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(series)?.rsplit_once(' '));
            lines.map(|(_, value)| value.parse::<f64>().unwrap()).sum::<f64>()
        };
        wait(|| value(&scrape(), "modlb_check_lateness_seconds_count") > 1_000.0, || agent.log());
        let (before, start, (ticks, ..)) = (scrape(), Instant::now(), used(agent.pid().as_raw()));
        let mut took = Vec::new();
        while start.elapsed() < IDLE {
            std::thread::sleep(Duration::from_secs(1));
            if *others > 0 {
                let start = Instant::now();
                scrape();
                took.push(start.elapsed());
            }
        }
        let ((later, ..), elapsed, after) = (used(agent.pid().as_raw()), start.elapsed(), scrape());
        let grown = |series: &str| value(&after, series) - value(&before, series);
        let started = grown("modlb_check_lateness_seconds_count");
        println!(
            "{}; {others} other services of {SERVERS} servers: {:.0} checks/s, {:.2} of a core, mean lateness {:.2} ms",
            self.check,
            started / elapsed.as_secs_f64(),
            (later - ticks) as f64 / 100.0 / elapsed.as_secs_f64(),
            grown("modlb_check_lateness_seconds_sum") / started * 1_000.0
        );
        for bound in ["0.005", "0.02", "0.1", "0.5"] {
            let bucket = format!("modlb_check_lateness_seconds_bucket{{le=\"{bound}\"}}");
            println!("  late by more than {bound} s: {}", started - grown(&bucket));
        }
        if *others > 0 {
            println!("  scrapes of {} MB took {took:.1?}", after.len() / 1_000_000);
        }
        let waiting = network.gateway.run("ss", "--no-header --tcp --all --numeric state time-wait");
        println!("  connections in TIME_WAIT: {}", waiting.lines().filter(|line| !line.contains(":9652")).count());
        assert!(started > 0.0 && grown("modlb_check_failures_total{") == 0.0, "{}", agent.log());
        agent.stop();
    }
}

/// Plain TCP, alone and while an instance of 60,000 servers is scraped.
#[test]
#[ignore = "takes long, and its figures count only in a release build"]
fn five_thousand_checks_a_second() {
    need_root!();
    let servers = 8;
    for others in [0, 600] {
        let network = Network::new(servers, 1);
        for number in u32::from(servers)..SERVERS {
            let entry = format!("neigh replace 10.0.0.{} lladdr 02:00:00:00:01:{number:02x} dev eth0", 11 + number);
            network.gateway.ip(&entry);
        }
        let check = "kind = \"tcp\", interval = 0.1".to_owned();
        Checked { network: &network, check, services: 64, servers, others, roots: None }.measure();
    }
}

#[test]
#[ignore = "takes long, and its figures count only in a release build"]
fn two_thousand_echo_requests_a_second() {
    need_root!();
    let network = Network::new(8, 1);
    let check = "kind = \"icmp\", interval = 0.1".to_owned();
    Checked { network: &network, check, services: 25, servers: 8, others: 0, roots: None }.measure();
}

/// Each is a whole handshake with a certificate that is verified.
#[test]
#[ignore = "takes long, and its figures count only in a release build"]
fn two_hundred_https_checks_a_second() {
    need_root!();
    let network = Network::new(4, 1);
    let identity = Identity::new(&[]);
    let addresses = (0..4).map(|number| server_address(false, number));
    let web_servers: Vec<_> = network
        .server_namespaces()
        .zip(addresses)
        .map(|(namespace, address)| WebServer::new(namespace, address, &identity))
        .collect();
    let check = format!(
        "kind = \"https\", port = {PORT}, host = \"www.example.org\", verify = true, interval = 0.5, timeout = 0.5"
    );
    let roots = identity.file("ca");
    Checked { network: &network, check, services: 25, servers: 4, others: 0, roots: Some(&roots) }.measure();
    drop(web_servers);
}
