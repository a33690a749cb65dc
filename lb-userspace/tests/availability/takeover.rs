//! One balancer works, the other is on standby, keepalived decides: the master dies, and returns.

use std::time::Duration;

use crate::{
    keepalived::{Keepalived, master_and_backup, settle},
    need_root,
    site::Site,
    support::network::SERVICES,
};

/// Where the configurations say that routers send what is for the services.
const HOPS: [&str; 2] = ["via 10.0.0.254", "via fe80::254 dev eth0"];

/// A backup misses three advertisements before it takes over (RFC 9568, 6.1): at least so long there is no service.
const SILENCE: Duration = Duration::from_millis(600);

/// And much less than this, on a busy machine, too.
const AT_MOST: Duration = Duration::from_secs(10);

/// A site with both attached on standby, and routes to the address that moves.
pub fn standby_site() -> Site {
    let site = Site::new();
    site.attach("--standby");
    for (service, hop) in SERVICES.into_iter().zip(HOPS) {
        site.route(service, hop);
    }
    site
}

fn master_dies_and_returns(configuration: &str) {
    let site = standby_site();
    let [first, second] = &site.balancers;
    let [master, backup] = master_and_backup(&site.balancers, configuration);

    let before = first.forwarded();
    let gaps = site.survives(&format!("{configuration}: the master is killed and cut off"), || {
        assert!(first.forwarded() > before, "the master forwards nothing");
        assert_eq!(second.forwarded(), 0, "the standby forwarded");
        master.kill();
        first.link_down();
        settle(&site.balancers, ["active", "active"], &[&backup]);
    });
    // Else it was not measured.
    assert!(gaps.iter().all(|gap| (SILENCE..AT_MOST).contains(gap)), "{gaps:?}");
    assert!(second.forwarded() > 0);

    let mut again = None;
    site.survives(&format!("{configuration}: the master returns"), || {
        first.link_up();
        let master = again.insert(Keepalived::start(first, configuration));
        settle(&site.balancers, ["active", "standby"], &[master, &backup]);
    });
    let (before, idle) = (first.forwarded(), second.forwarded());
    site.survives(&format!("{configuration}: nothing happens"), || {});
    assert!(first.forwarded() > before, "the master that returned forwards nothing");
    assert_eq!(second.forwarded(), idle, "the standby forwarded");
}

#[test]
fn with_a_plain_address() {
    need_root!();
    master_dies_and_returns("plain.conf");
}

#[test]
fn with_a_virtual_mac() {
    need_root!();
    master_dies_and_returns("virtual-mac.conf");
}

/// An orderly end, as for maintenance: the other takes over at once.
#[test]
fn the_master_is_stopped() {
    need_root!();
    let site = standby_site();
    let [master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("keepalived is stopped on the master", || {
        master.stop();
        settle(&site.balancers, ["standby", "active"], &[&backup]);
    });
}

/// A master without modlb is none: keepalived's check finds out.
#[test]
fn modlb_is_detached_from_the_master() {
    need_root!();
    let site = standby_site();
    let [first, second] = &site.balancers;
    let [_master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("modlb is detached from the master", || {
        first.modlb.ok("detach");
        while second.state() != "active" {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    site.survives("modlb is attached again", || {
        first.modlb.attach("eth0 --standby", &crate::site::configuration());
        settle(&site.balancers, ["active", "standby"], &[&backup]);
    });
}
