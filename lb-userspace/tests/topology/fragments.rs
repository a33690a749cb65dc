//! Datagrams that no frame holds arrive whole: all their pieces meet at one server.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    need_root,
    support::network::{Network, SERVICES, datagrams_to},
};

const CLIENTS: u8 = 6;
const EACH: u64 = 40;

/// Three pieces of at most 1,500 bytes.
const BYTES: usize = 4_000;
const PIECES: u64 = 3;

#[test]
fn large_datagrams_arrive_whole() {
    need_root!();
    let network = Network::new(3, CLIENTS);
    let what = "protocol = \"udp\"\nport = 9000\nfragments = \"balance\"";
    network.attach("native", &network.configuration(3, what));
    let sent = network.client.within(|| {
        let mut sent = 0;
        for service in SERVICES {
            for client in network.client_addresses(service) {
                let socket = datagrams_to(client, service);
                for _ in 0..EACH {
                    socket.send(&[7; BYTES]).unwrap();
                    sent += 1;
                    wait_for(&network, sent);
                }
            }
        }
        sent
    });
    let stats = network.modlb.json("stats");
    let packets =
        stats["services"].as_array().unwrap().iter().map(|service| service["packets"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(packets, sent * PIECES);
    assert_eq!(stats["outcomes"]["fragment"]["packets"], 0);
}

/// One after the other: a lost piece shows at once.
fn wait_for(network: &Network, sent: u64) {
    let start = Instant::now();
    while network.datagrams() < sent {
        assert!(start.elapsed() < Duration::from_secs(3), "datagram {sent} did not arrive whole");
        thread::sleep(Duration::from_micros(200));
    }
}
