//! The program is replaced while datagrams are counted: none may be lost.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    need_root,
    support::network::{Network, SERVICES, datagrams_to},
};

const UPGRADES: u32 = 10;

/// Between two datagrams of a family.
const PACE: Duration = Duration::from_micros(200);

/// How long the last datagrams may be on their way.
const PATIENCE: Duration = Duration::from_secs(5);

fn no_datagram_is_lost(mode: &str) {
    let network = Network::new(3, 6);
    let configuration = network.configuration(3, "protocol = \"udp\"\nport = 9000\nformula = \"5-tuple\"");
    network.attach(mode, &configuration);
    let before = network.modlb.ok("export");
    let (over, warm) = (AtomicBool::new(false), AtomicBool::new(false));
    let sent: u64 = thread::scope(|scope| {
        let (network, over, warm) = (&network, &over, &warm);
        let sender = scope.spawn(move || network.client.within(|| send(network, over, warm)));
        while !warm.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        for round in 0..UPGRADES {
            let program = || network.modlb.json("status")["interfaces"][0]["program_id"].as_u64().unwrap();
            let old = program();
            network.modlb.ok(if round % 2 == 0 { "upgrade" } else { "attach eth0" });
            assert_ne!(program(), old, "the program is the same as before");
        }
        over.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    let start = Instant::now();
    while network.datagrams() < sent && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(network.datagrams(), sent, "received and sent differ");
    assert_eq!(network.modlb.ok("export"), before, "the configuration changed");
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["forwarded"]["packets"], sent, "counters did not survive");
}

/// Sends until it is over; the first datagrams wait until neighbours are resolved, and are sent one by one.
fn send(network: &Network, over: &AtomicBool, warm: &AtomicBool) -> u64 {
    let sockets: Vec<_> = SERVICES
        .into_iter()
        .flat_map(|service| {
            network.client_addresses(service).into_iter().map(move |client| datagrams_to(client, service))
        })
        .collect();
    let mut sent = 0;
    for socket in &sockets {
        socket.send(b"first").unwrap();
        sent += 1;
        let start = Instant::now();
        while network.datagrams() < sent {
            assert!(start.elapsed() < PATIENCE, "the first datagrams do not arrive");
            thread::sleep(Duration::from_millis(1));
        }
    }
    warm.store(true, Ordering::Relaxed);
    while !over.load(Ordering::Relaxed) {
        for socket in &sockets {
            socket.send(b"more").unwrap();
            sent += 1;
            thread::sleep(PACE);
        }
    }
    sent
}

#[test]
fn native() {
    need_root!();
    no_datagram_is_lost("native");
}

#[test]
fn generic() {
    need_root!();
    no_datagram_is_lost("generic");
}
