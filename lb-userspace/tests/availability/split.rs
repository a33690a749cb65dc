//! Split brain: both are active, both hold the address. It is harmless, for both compute the same.

use std::{thread, time::Duration};

use crate::{
    keepalived::{master_and_backup, settle},
    need_root,
    takeover::standby_site,
};

/// Only keepalived dies: the address stays where it was, too, and modlb goes on.
#[test]
fn keepalived_alone_is_killed() {
    need_root!();
    let site = standby_site();
    let [master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("keepalived alone is killed on the master", || {
        master.kill();
        settle(&site.balancers, ["active", "active"], &[&backup]);
    });
    let addresses = site.balancers[0].namespace.run("ip", "-brief addr show dev eth0");
    assert!(addresses.contains("10.0.0.254/24"), "it was cleaned up");
    // Whoever asks may be answered by either.
    site.survives("both answer for the address", || {
        for _ in 0..10 {
            site.router.ip("neigh flush dev eth0");
            thread::sleep(Duration::from_millis(100));
        }
    });
}
