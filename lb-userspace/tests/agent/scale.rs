//! An agent of a large instance. Runs only on request: `cargo test --release --test agent -- --ignored --nocapture
//! scale`.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use crate::{need_root, process::Agent, support::network::Network};

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
