//! Clients whose servers are known, and that notice a change.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    network::{Network, SERVICES, datagrams_to, request},
    wait::{PATIENCE, wait},
};

/// A client of a service, and the number of its server.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub service: IpAddr,
    pub home: u8,
}

/// Every client of both services, with the server that its connections reach now.
pub fn clients(network: &Network) -> Vec<Client> {
    network.client.within(|| {
        let all = SERVICES
            .into_iter()
            .flat_map(|service| network.client_addresses(service).into_iter().map(move |address| (address, service)));
        all.map(|(address, service)| {
            let (_, home) = request(address, service).unwrap_or_else(|error| panic!("{address} → {service}: {error}"));
            Client { address, service, home }
        })
        .collect()
    })
}

/// The server that a client's datagrams reach now.
pub fn datagrams_home(network: &Network, servers: u8, address: IpAddr, service: IpAddr) -> u8 {
    let counts = || (0..servers).map(|server| network.datagrams_of(server)).collect::<Vec<_>>();
    let before = counts();
    network.client.within(|| datagrams_to(address, service).send(b"?").unwrap());
    let moved = || counts().iter().zip(&before).position(|(now, before)| now > before);
    wait(|| moved().is_some(), || format!("{address} → {service}: no server received it"));
    moved().unwrap() as u8
}

/// A client of a service whose datagrams reach this server.
pub fn client_at(network: &Network, servers: u8, server: u8, service: IpAddr) -> IpAddr {
    let mut all = network.client_addresses(service).into_iter();
    all.find(|client| datagrams_home(network, servers, *client, service) == server).expect("no client has this server")
}

/// Sends datagrams until one of the wanted servers receives some; returns how long that took.
pub fn until_received(network: &Network, address: IpAddr, service: IpAddr, wanted: &[u8]) -> Duration {
    let counts = || wanted.iter().map(|server| network.datagrams_of(*server)).sum::<u64>();
    let (before, start) = (counts(), Instant::now());
    network.client.within(|| {
        let socket = datagrams_to(address, service);
        while counts() == before {
            assert!(start.elapsed() < PATIENCE, "{address} → {service}: nothing arrives");
            let _ = socket.send(b"?");
            thread::sleep(Duration::from_millis(2));
        }
    });
    start.elapsed()
}

/// All these clients keep asking during `work`; each must always be answered by its own server.
pub fn undisturbed<T>(network: &Network, clients: &[Client], work: impl FnOnce() -> T) -> T {
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (over, asked) = (&over, &asked);
        for client in clients {
            scope.spawn(move || {
                network.client.within(|| {
                    while !over.load(Ordering::Relaxed) {
                        let answer = request(client.address, client.service);
                        let (_, server) = answer.unwrap_or_else(|error| panic!("{client:?}: {error}"));
                        assert_eq!(server, client.home, "{client:?}");
                        asked.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(5));
                    }
                });
            });
        }
        let enough = asked.load(Ordering::Relaxed) + 5 * clients.len() as u64;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let start = Instant::now();
        while asked.load(Ordering::Relaxed) < enough && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        over.store(true, Ordering::Relaxed);
        assert!(asked.load(Ordering::Relaxed) >= enough, "hardly anything was asked");
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
