//! Changes and upgrades of one balancer after the other, while both are active.

use std::{net::IpAddr, thread, time::Duration};

use num_bigint::BigUint;

use crate::{
    ecmp::active_site,
    need_root,
    site::{SERVERS, clients},
    support::{
        network::{SERVICES, name, server_address},
        paced::PORT,
    },
};

/// The server that goes down.
const DOWN: u8 = 1;

#[test]
fn upgrades_break_no_connection() {
    need_root!();
    let site = active_site();
    let gaps = site.survives("both are upgraded, one after the other", || {
        for balancer in &site.balancers {
            balancer.modlb.ok("upgrade");
            thread::sleep(Duration::from_millis(200));
        }
    });
    // No packet is lost, so no client waits for a retransmission.
    println!("longest silence {gaps:?}");
}

/// The number of the server that the formula names, by big integers.
fn home(client: IpAddr, service: IpAddr) -> u8 {
    let number = |address| match address {
        IpAddr::V4(address) => BigUint::from_bytes_be(&std::net::Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => BigUint::from_bytes_be(&std::net::Ipv6Addr::octets(&address)),
    };
    let sum = number(client) + number(service) + BigUint::from(PORT);
    (sum % SERVERS).iter_u32_digits().next().unwrap_or(0) as u8
}

/// A server goes down on one balancer, then on the other: only its own connections break, also while they differ.
#[test]
fn only_connections_of_the_server_that_goes_down_break() {
    need_root!();
    let site = active_site();
    let downloads = site.download();
    for balancer in &site.balancers {
        for service in SERVICES {
            balancer.modlb.ok(&format!("server down {} {}", name(service), server_address(service.is_ipv6(), DOWN)));
        }
        if balancer.label == "lb1" {
            assert_ne!(site.balancers[0].digest(), site.balancers[1].digest());
            thread::sleep(Duration::from_millis(500));
        }
    }
    assert_eq!(site.balancers[0].digest(), site.balancers[1].digest());
    for (service, mut downloads) in SERVICES.into_iter().zip(downloads) {
        let (all, clients) = (downloads.len(), clients(service));
        let touched = clients.iter().filter(|client| home(**client, service) == DOWN).count() * all / clients.len();
        let outcome = downloads.finish();
        let broken = &outcome.broken;
        println!("{service}: {all} connections, {} broken, {touched} of the server that went down", broken.len());
        assert!(touched > 0 && touched < all / 2);
        assert_eq!((broken.len(), outcome.complete), (touched, all - touched), "{service}: {broken:?}");
        assert_eq!(outcome.servers[usize::from(DOWN)], 0, "{service}");
    }
}
