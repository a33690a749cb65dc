//! Both balancers are active, and a router spreads flows over them: however it does so, a flow's packets reach the same
//! server.

use std::{fs, net::IpAddr, thread, time::Duration};

use crate::{
    need_root,
    site::{Site, configuration},
    support::{network::SERVICES, wait::wait},
};

/// For how long at least each choice of the router is in force.
const PHASE: Duration = Duration::from_millis(300);

/// How long there may be no service when a balancer is cut off, on a busy machine.
const AT_MOST: Duration = Duration::from_secs(20);

/// A site with both balancers active, and a route over both.
pub fn active_site() -> Site {
    let site = Site::new();
    site.attach("");
    hash_policy(&site, 1);
    SERVICES.into_iter().for_each(|service| site.route(service, &hops(&site, service, [1, 1])));
    site
}

/// The next hops of a route over the balancers with these weights, without those of weight 0.
fn hops(site: &Site, service: IpAddr, weights: [u8; 2]) -> String {
    let hops = site.balancers.iter().zip(weights).filter(|(_, weight)| *weight > 0);
    hops.map(|(balancer, weight)| format!("nexthop via {} dev eth0 weight {weight} ", balancer.hop(service))).collect()
}

/// What the router hashes: 0: addresses; 1: addresses and ports; 2: the same of a tunnel's inner packet.
fn hash_policy(site: &Site, policy: u8) {
    site.router.within(|| {
        for family in ["ipv4", "ipv6"] {
            fs::write(format!("/proc/sys/net/{family}/fib_multipath_hash_policy"), policy.to_string()).unwrap();
        }
    });
}

/// Counts what each balancer forwards after the router's choice has changed: until each with a next hop has forwarded
/// more than `least` packets, and for the length of a phase.
fn phase(site: &Site, weights: [u8; 2], least: u64) -> [u64; 2] {
    let forwarded = || site.balancers.each_ref().map(|balancer| balancer.forwarded());
    // Packets may still be on their way to a balancer that is no next hop any more.
    let is_quiet = || {
        let earlier = forwarded();
        thread::sleep(Duration::from_millis(20));
        let now = forwarded();
        (0..2).all(|number| weights[number] > 0 || now[number] == earlier[number])
    };
    wait(is_quiet, || "a balancer forwards without being a next hop".to_owned());
    let before = forwarded();
    let counts = || {
        let after = forwarded();
        [after[0] - before[0], after[1] - before[1]]
    };
    thread::sleep(PHASE);
    let is_enough = || (0..2).all(|number| weights[number] == 0 || counts()[number] > least);
    wait(is_enough, || format!("the router does not send by its next hops {weights:?}: {:?}", counts()));
    counts()
}

fn route(site: &Site, weights: [u8; 2]) {
    SERVICES.into_iter().for_each(|service| site.route(service, &hops(site, service, weights)));
}

/// Next hops are removed, and added in another order: every flow changes balancers at least twice.
#[test]
fn changed_next_hops_break_no_connection() {
    need_root!();
    let site = active_site();
    site.survives("next hops are removed and added", || {
        let both = phase(&site, [1, 1], 100);
        assert!(both.iter().all(|packets| *packets > 100), "the router does not spread flows: {both:?}");
        route(&site, [0, 1]);
        let second = phase(&site, [0, 1], 100);
        assert!(second[0] == 0 && second[1] > 100, "only the second is a next hop: {second:?}");
        route(&site, [1, 0]);
        let first = phase(&site, [1, 0], 100);
        assert!(first[0] > 100 && first[1] == 0, "only the first is a next hop: {first:?}");
        route(&site, [1, 1]);
        let again = phase(&site, [1, 1], 100);
        assert!(again.iter().all(|packets| *packets > 100), "both are next hops again: {again:?}");
    });
}

/// The router's hash changes: flows change balancers, and are grouped in another way.
#[test]
fn a_changed_hash_breaks_no_connection() {
    need_root!();
    let site = active_site();
    site.survives("the hash changes, and the order and the weights of next hops", || {
        for (policy, swapped, weights) in [(0, false, [1, 1]), (1, true, [1, 1]), (1, false, [1, 7]), (2, true, [7, 1])]
        {
            hash_policy(&site, policy);
            for service in SERVICES {
                let hops = hops(&site, service, weights);
                let mut each: Vec<_> = hops.split("nexthop").skip(1).collect();
                if swapped {
                    each.reverse();
                }
                site.route(service, &each.iter().map(|hop| format!("nexthop{hop}")).collect::<String>());
            }
            let packets = phase(&site, weights, 0);
            assert!(packets.iter().all(|packets| *packets > 0), "policy {policy}, weights {weights:?}: {packets:?}");
        }
    });
}

/// Consecutive packets of a flow hardly ever go through the same balancer.
#[test]
fn alternating_balancers_break_no_connection() {
    need_root!();
    let site = active_site();
    let before = site.balancers.each_ref().map(|balancer| balancer.forwarded());
    site.survives("the router's choice changes a hundred times", || {
        for turn in 0..100 {
            route(&site, if turn % 2 == 0 { [1, 0] } else { [0, 1] });
            thread::sleep(Duration::from_millis(10));
        }
    });
    for (balancer, before) in site.balancers.iter().zip(before) {
        assert!(balancer.forwarded() > before + 1_000, "{}: hardly anything went through it", balancer.label);
    }
}

/// One balancer is cut off. The router's own link stays up, so the test removes the next hop as a routing protocol
/// would.
#[test]
fn a_balancer_that_is_cut_off_breaks_no_connection() {
    need_root!();
    let site = active_site();
    let gaps =
        site.survives("one of two active balancers is cut off, and its next hop removed after half a second", || {
            site.balancers[0].link_down();
            thread::sleep(Duration::from_millis(500));
            route(&site, [0, 1]);
        });
    assert!(gaps.iter().all(|gap| *gap < AT_MOST), "{gaps:?}");
}

/// The control: with another order of servers on one balancer, flows that change balancers break.
#[test]
fn balancers_that_differ_break_connections() {
    need_root!();
    let site = active_site();
    route(&site, [1, 0]);
    let mut turned: Vec<_> = configuration().lines().map(str::to_owned).collect();
    for (first, second) in [("10.0.0.11", "10.0.0.12"), ("fd00::b", "fd00::c")] {
        let line = |address| turned.iter().position(|line| line.contains(&format!("\"{address}\""))).unwrap();
        let (first, second) = (line(first), line(second));
        turned.swap(first, second);
    }
    site.balancers[1].modlb.apply(&turned.join("\n"));
    assert_ne!(site.balancers[0].digest(), site.balancers[1].digest());
    let downloads = site.download();
    route(&site, [0, 1]);
    for mut downloads in downloads {
        let all = downloads.len();
        let broken = downloads.finish().broken.len();
        assert!(broken > all / 2 && broken < all, "{broken} of {all}: two servers of three changed places");
    }
}
