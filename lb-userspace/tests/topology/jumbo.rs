//! A path with an MTU of 9,000, in native mode: uploads, so that the balancer forwards the large frames.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};

use crate::{
    need_root,
    support::{
        network::{Network, SERVICES, connect},
        wait::PATIENCE,
    },
};

const MTU: u16 = 9_000;
const PORT: u16 = 82;
const SERVERS: u8 = 3;
const CLIENTS: u8 = 3;

/// Bytes of one upload.
const UPLOAD: usize = 8 << 20;

fn network() -> Network {
    let network = Network::new(SERVERS, CLIENTS);
    network.switch.ip("link set br0 mtu 9000");
    for label in ["gateway".to_owned(), "client".to_owned()].into_iter().chain((0..SERVERS).map(|n| format!("s{n}"))) {
        network.switch.ip(&format!("link set v-{label} mtu {MTU}"));
    }
    for host in [&network.gateway, &network.client].into_iter().chain(network.server_namespaces()) {
        host.ip(&format!("link set eth0 mtu {MTU}"));
    }
    network
}

/// Every server discards what it receives and answers with the number of bytes, for one client of each service.
fn swallow(network: &Network) -> Vec<JoinHandle<u64>> {
    let mut threads = Vec::new();
    for server in network.server_namespaces() {
        for service in SERVICES {
            let listener = server.within(|| TcpListener::bind(SocketAddr::new(service, PORT)).unwrap());
            threads.push(thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut received = 0;
                let mut buffer = vec![0; 1 << 16];
                loop {
                    match stream.read(&mut buffer).unwrap() {
                        0 => break,
                        count => received += count as u64,
                    }
                }
                stream.write_all(&received.to_be_bytes()).unwrap();
                received
            }));
        }
    }
    threads
}

fn upload(client: IpAddr, service: IpAddr) -> u64 {
    let mut stream = connect(client, service, PORT).unwrap_or_else(|error| panic!("{client}: {error}"));
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&vec![5; UPLOAD]).unwrap_or_else(|error| panic!("{client}: {error}"));
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = [0; 8];
    stream.read_exact(&mut received).unwrap_or_else(|error| panic!("{client}: {error}"));
    u64::from_be_bytes(received)
}

#[test]
fn uploads_in_packets_of_nine_thousand_bytes_arrive_whole() {
    need_root!();
    let network = network();
    network.attach("native", &network.configuration(SERVERS, &format!("protocol = \"tcp\"\nport = {PORT}")));
    let interface = || network.modlb.json("status")["interfaces"][0].clone();
    assert_eq!((&interface()["mode"], &interface()["multi_buffer"]), (&"native".into(), &true.into()));
    let servers = swallow(&network);
    for service in SERVICES {
        // Consecutive addresses, as many as servers: one for each.
        for client in network.client_addresses(service) {
            assert_eq!(network.client.within(|| upload(client, service)), UPLOAD as u64, "{client}");
            // The new program is for several buffers as well.
            network.modlb.ok("upgrade");
            assert_eq!(interface()["multi_buffer"], true);
        }
    }
    for server in servers {
        assert_eq!(server.join().unwrap(), UPLOAD as u64);
    }
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["malformed"]["packets"], 0);
    for service in stats["services"].as_array().unwrap() {
        for server in service["servers"].as_array().unwrap() {
            let [packets, bytes] = ["packets", "bytes"].map(|what| server[what].as_u64().unwrap());
            assert!(bytes >= UPLOAD as u64, "{server}");
            // Packets of the handshake and the end are small, so packets with data are larger still.
            assert!(bytes / packets > 4_096, "{server}: {} bytes a packet", bytes / packets);
        }
    }
}
