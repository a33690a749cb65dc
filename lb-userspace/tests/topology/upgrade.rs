//! The program is replaced while datagrams are counted: none may be lost.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    need_root,
    support::{
        network::{Network, SERVICES, datagrams_to},
        wait::wait,
    },
};

const UPGRADES: u32 = 10;

/// The pause between two datagrams.
const PACE: Duration = Duration::from_micros(200);

fn no_datagram_is_lost(mode: &str) {
    let network = Network::new(3, 6);
    let configuration = network.configuration(3, "protocol = \"udp\"\nport = 9000\nformula = \"5-tuple\"");
    network.attach(mode, &configuration);
    let before = network.modlb.ok("export");
    let (over, warm) = (AtomicBool::new(false), AtomicBool::new(false));
    let sent: u64 = thread::scope(|scope| {
        let (network, over, warm) = (&network, &over, &warm);
        let sender = scope.spawn(move || network.client.within(|| send(network, over, warm)));
        while !warm.load(Ordering::Relaxed) && !sender.is_finished() {
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
    wait(|| network.datagrams() >= sent, || format!("{} of {sent} datagrams arrived", network.datagrams()));
    assert_eq!(network.datagrams(), sent, "received and sent differ");
    assert_eq!(network.modlb.ok("export"), before, "the configuration changed");
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["forwarded"]["packets"], sent, "counters did not survive");
}

/// Sends until it is over. The first datagrams are sent one by one, since each may wait until a neighbour is resolved.
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
        wait(|| network.datagrams() >= sent, || "the first datagrams do not arrive".to_owned());
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
fn a_native_upgrade_loses_no_datagram() {
    need_root!();
    no_datagram_is_lost("native");
}

#[test]
fn a_generic_upgrade_loses_no_datagram() {
    need_root!();
    no_datagram_is_lost("generic");
}
