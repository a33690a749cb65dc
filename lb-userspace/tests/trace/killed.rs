//! However the command ends, under load: the regular program is back, and no packet is lost.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};

use crate::{
    PATIENCE, Tracing, is_traced, need_root, program_id,
    support::network::{Network, SERVICES, datagrams_to},
};

/// Between two datagrams of a family.
const PACE: Duration = Duration::from_micros(300);

/// How long the watchdog may take.
const SOON: Duration = Duration::from_secs(3);

/// Sends datagrams of both families to a counting server while something is done; all must arrive.
fn under_load(mode: &str, what: impl FnOnce(&Network)) {
    let network = Network::new(3, 4);
    let configuration = network.configuration(3, "protocol = \"udp\"\nport = 9000\nformula = \"5-tuple\"");
    network.attach(mode, &configuration);
    let program = program_id(&network.modlb);
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (network, over, sent) = (&network, &over, &sent);
        scope.spawn(move || network.client.within(|| send(network, over, sent)));
        let start = Instant::now();
        while sent.load(Ordering::Relaxed) < 100 {
            assert!(start.elapsed() < PATIENCE, "the load does not begin");
            thread::sleep(Duration::from_millis(10));
        }
        // However that ends, the load does.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| what(network)));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let (start, sent) = (Instant::now(), sent.load(Ordering::Relaxed));
    while network.datagrams() < sent && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(network.datagrams(), sent, "received and sent differ");
    assert_eq!(program_id(&network.modlb), program, "the regular program is not back");
    assert_eq!(network.modlb.json("stats")["outcomes"]["forwarded"]["packets"], sent);
    // The watchdog of the last command ends a moment after the program is back.
    let claim = std::path::Path::new("/sys/fs/bpf/modlb-trace").join(network.modlb.instance());
    while claim.exists() && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!claim.exists(), "{} is left", claim.display());
}

/// The first datagrams wait until neighbours are resolved.
fn send(network: &Network, over: &AtomicBool, sent: &AtomicU64) {
    let sockets: Vec<_> = SERVICES
        .into_iter()
        .flat_map(|service| {
            network.client_addresses(service).into_iter().map(move |client| datagrams_to(client, service))
        })
        .collect();
    for socket in &sockets {
        socket.send(b"first").unwrap();
        let now = sent.fetch_add(1, Ordering::Relaxed) + 1;
        let start = Instant::now();
        while network.datagrams() < now {
            assert!(start.elapsed() < PATIENCE, "the first datagrams do not arrive");
            thread::sleep(Duration::from_millis(1));
        }
    }
    while !over.load(Ordering::Relaxed) {
        for socket in &sockets {
            socket.send(b"more").unwrap();
            sent.fetch_add(1, Ordering::Relaxed);
            thread::sleep(PACE);
        }
    }
}

fn wait_for_the_ordinary_program(network: &Network) {
    let start = Instant::now();
    while is_traced(&network.modlb) {
        assert!(start.elapsed() < SOON, "the regular program is not back");
        thread::sleep(Duration::from_millis(5));
    }
}

fn in_and_out(mode: &str) {
    under_load(mode, |network| {
        for round in 0..6 {
            let how = ["trace", "logs", "trace --pcap /dev/null"][round % 3];
            let tracing = Tracing::start(&network.modlb, how);
            thread::sleep(Duration::from_millis(100));
            let (_, said) = tracing.end(&network.modlb);
            assert!(!said.starts_with("0 packets"), "{how}: {said}");
        }
    });
}

#[test]
fn programs_are_swapped_in_and_out_natively() {
    need_root!();
    in_and_out("native");
}

#[test]
fn programs_are_swapped_in_and_out_generically() {
    need_root!();
    in_and_out("generic");
}

/// At any moment: while it begins, while it traces.
#[test]
fn the_watchdog_restores_after_a_killed_command() {
    need_root!();
    under_load("native", |network| {
        for round in 0..12_u64 {
            let mut command = network.modlb.command("trace");
            let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(round * round * 8));
            child.kill().unwrap();
            child.wait().unwrap();
            wait_for_the_ordinary_program(network);
        }
        // And certainly while it traces.
        let tracing = Tracing::start(&network.modlb, "trace");
        drop(tracing);
        wait_for_the_ordinary_program(network);
    });
}

/// Then the next command that writes puts things right, and `status` says what is wrong until then.
#[test]
fn the_next_command_restores_after_command_and_watchdog_are_killed() {
    need_root!();
    under_load("native", |network| {
        for next in ["server down web4 10.0.0.11", "server up web4 10.0.0.11", "trace --seconds 0.5"] {
            let tracing = Tracing::start(&network.modlb, "trace");
            kill(tracing.watchdog(), Signal::SIGKILL).unwrap();
            drop(tracing);
            let status = network.modlb.output("status");
            let warned = String::from_utf8_lossy(&status.stderr).into_owned();
            assert!(is_traced(&network.modlb) && warned.contains("was killed together with its watchdog"), "{warned}");
            let said = network.modlb.output(next);
            assert!(said.status.success(), "{next}");
            assert!(!is_traced(&network.modlb), "after {next}");
        }
    });
}

/// The command ends well without its watchdog.
#[test]
fn the_command_restores_after_its_watchdog_is_killed() {
    need_root!();
    under_load("generic", |network| {
        let tracing = Tracing::start(&network.modlb, "trace");
        kill(tracing.watchdog(), Signal::SIGKILL).unwrap();
        tracing.end(&network.modlb);
    });
}

/// Ctrl-C, as a terminal sends it: to the whole group.
#[test]
fn a_signal_to_both_ends_the_trace() {
    need_root!();
    under_load("generic", |network| {
        let tracing = Tracing::start(&network.modlb, "trace");
        kill(tracing.watchdog(), Signal::SIGINT).unwrap();
        kill(tracing.watchdog(), Signal::SIGTERM).unwrap();
        assert!(is_traced(&network.modlb));
        tracing.signal(Signal::SIGTERM);
        tracing.ended(&network.modlb);
    });
}
