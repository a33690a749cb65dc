//! Split brain: both are active and hold the address. This is harmless, since both choose the same servers.

use std::{thread, time::Duration};

use crate::{
    keepalived::{master_and_backup, settle},
    need_root,
    takeover::standby_site,
};

/// Only keepalived dies: the old master keeps the address, and modlb goes on.
#[test]
fn split_brain_breaks_no_connection() {
    need_root!();
    let site = standby_site();
    let [master, backup] = master_and_backup(&site.balancers, "plain.conf");
    site.survives("keepalived alone is killed on the master", || {
        master.kill();
        settle(&site.balancers, ["active", "active"], &[&backup]);
    });
    let addresses = site.balancers[0].namespace.run("ip", "-brief addr show dev eth0");
    assert!(addresses.contains("10.0.0.254/24"), "the address was removed");
    // Either balancer may answer for the address.
    site.survives("both answer for the address", || {
        for _ in 0..10 {
            site.router.ip("neigh flush dev eth0");
            thread::sleep(Duration::from_millis(100));
        }
    });
}
