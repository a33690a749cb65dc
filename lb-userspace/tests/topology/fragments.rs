//! Datagrams larger than a frame arrive whole: all their fragments reach the same server.

use crate::{
    need_root,
    support::{
        network::{Network, SERVICES, datagrams_to},
        wait::wait,
    },
};

const CLIENTS: u8 = 6;
const EACH: u64 = 40;

/// Three fragments of at most 1,500 bytes.
const BYTES: usize = 4_000;
const FRAGMENTS: u64 = 3;

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
                    // One datagram after the other, so that a lost fragment shows at once.
                    wait(|| network.datagrams() >= sent, || format!("datagram {sent} did not arrive whole"));
                }
            }
        }
        sent
    });
    let stats = network.modlb.json("stats");
    let packets =
        stats["services"].as_array().unwrap().iter().map(|service| service["packets"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(packets, sent * FRAGMENTS);
    assert_eq!(stats["outcomes"]["fragment"]["packets"], 0);
}
