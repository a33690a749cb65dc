//! One balancer is active and the other on standby, as keepalived decides: the master fails, and returns.

use std::time::Duration;

use crate::{
    keepalived::{Keepalived, master_and_backup, settle},
    need_root,
    site::Site,
    support::{network::SERVICES, wait::wait},
};

/// The next hops of the services, as keepalived's configurations have them.
const HOPS: [&str; 2] = ["via 10.0.0.254", "via fe80::254 dev eth0"];

/// A backup takes over after three missed advertisements (RFC 9568, 6.1): for this time there is no service.
const SILENCE: Duration = Duration::from_millis(600);

/// A takeover is much faster than this, also on a busy machine.
const AT_MOST: Duration = Duration::from_secs(30);

/// A site with both attached on standby, and routes by the address that moves.
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
    // A shorter silence would mean that there was no takeover.
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
fn a_takeover_with_a_plain_address_breaks_no_connection() {
    need_root!();
    master_dies_and_returns("plain.conf");
}

#[test]
fn a_takeover_with_a_virtual_mac_breaks_no_connection() {
    need_root!();
    master_dies_and_returns("virtual-mac.conf");
}

/// After an orderly stop, as for maintenance, the other takes over at once.
#[test]
fn a_stopped_master_breaks_no_connection() {
    need_root!();
    let site = standby_site();
    let [master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("keepalived is stopped on the master", || {
        master.stop();
        settle(&site.balancers, ["standby", "active"], &[&backup]);
    });
}

/// keepalived's check notices that the master has no modlb any more.
#[test]
fn a_master_without_modlb_breaks_no_connection() {
    need_root!();
    let site = standby_site();
    let [first, second] = &site.balancers;
    let [_master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("modlb is detached from the master", || {
        first.modlb.ok("detach");
        wait(|| second.state() == "active", || backup.log());
    });
    site.survives("modlb is attached again", || {
        first.modlb.attach("eth0 --standby", &crate::site::configuration());
        settle(&site.balancers, ["active", "standby"], &[&backup]);
    });
}
