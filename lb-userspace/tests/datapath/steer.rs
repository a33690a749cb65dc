//! Role `steer`: frames that this host sends.

use crate::*;

const ROUTERS: Range<u8> = 11..14;
const HEAD: &str = "role = \"steer\"\n";

/// The MAC of the next hop that the kernel chose.
const NEXT_HOP: [u8; 6] = [2, 0, 0, 0, 9, 9];

pub fn sent_by_host(packet: &[u8]) -> Vec<u8> {
    ethernet(NEXT_HOP, &[], ether_type(packet), packet)
}

fn steered(bench: &Bench, what: &str, frame: &[u8], (name, address): (&str, &str), sum: &BigUint) {
    let number = chosen(sum, &ROUTERS);
    let router = server(address, number);
    bench.check(what, frame, Expect::Steered { service: name, server: &router, mac: mac(number) });
}

#[test]
fn replies_go_where_requests_came_from() {
    need_root!();
    for options in ["", "--clsact"] {
        let bench = Bench::with(
            options,
            &format!("{HEAD}{}{}", service("web", WEB, HTTPS, ROUTERS), service("web6", WEB6, HTTPS, ROUTERS)),
        );
        let link = if options.is_empty() && has_tcx() { "tcx" } else { "clsact" };
        assert_eq!(bench.modlb.json("status")["interfaces"][0]["link"], link);
        for (name, to) in [("web", WEB), ("web6", WEB6)] {
            for client in clients(to) {
                let reply = ip(to.parse().unwrap(), client, TCP, &ports(443, 7));
                let sum = sum(client, to.parse().unwrap(), &[443]);
                steered(&bench, &format!("to {client}"), &sent_by_host(&reply), (name, to), &sum);
                let request = ip(client, to.parse().unwrap(), TCP, &ports(7, 443));
                passes(&bench, "a request", &sent_by_host(&request), Outcome::NoService);
            }
        }
    }
}

#[test]
fn every_outcome_occurs() {
    need_root!();
    let what = format!("{HTTPS}\nformula = \"5-tuple\"\ndirection = \"both\"");
    let bench = Bench::with(
        "",
        &format!(
            "{HEAD}{}{}{}",
            service("web", WEB, &what, ROUTERS),
            service("none", "203.0.113.99", "", 0..0),
            // This host is the router itself.
            service("own", "203.0.113.98", "", 1..2),
        ),
    );
    let (client, to): (IpAddr, IpAddr) = (clients(WEB)[0], WEB.parse().unwrap());
    let sum = sum(client, to, &[7, 443, TCP.into()]);
    let reply = ip(to, client, TCP, &ports(443, 7));
    steered(&bench, "a reply", &sent_by_host(&reply), ("web", WEB), &sum);
    steered(&bench, "a request", &sent_by_host(&ip(client, to, TCP, &ports(7, 443))), ("web", WEB), &sum);
    for group in [[0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
        passes(&bench, "to a group", &ethernet(group, &[], 0x0800, &reply), Outcome::NotOurs);
    }
    let tagged = ethernet(NEXT_HOP, &[(0x8100, 5)], 0x0800, &reply);
    // The kernel removes the tag from the frame before it runs the program.
    let (action, _) = bench.run(&tagged);
    assert_eq!(action, support::bench::TC_NEXT);
    passes(&bench, "ARP", &ethernet(NEXT_HOP, &[], 0x0806, &[0; 46]), Outcome::NotIp);
    let mut broken = sent_by_host(&reply);
    broken[14] = 0x41;
    passes(&bench, "broken", &broken, Outcome::Malformed);
    let from = |address: &str| sent_by_host(&ip(address.parse().unwrap(), client, TCP, &ports(443, 7)));
    bench.check("no router", &from("203.0.113.99"), Expect::Dropped(Outcome::NoServer));
    bench.check("this host", &from("203.0.113.98"), Expect::Local { service: "own", server: "10.0.0.1" });
    bench.modlb.ok("standby");
    passes(&bench, "on standby", &sent_by_host(&reply), Outcome::Standby);
    bench.modlb.ok("activate");
    // Role and mode stay with a new program.
    bench.modlb.ok("upgrade");
    let status = bench.modlb.json("status");
    assert_eq!((&status["role"], &status["interfaces"][0]["mode"]), (&"steer".into(), &"egress".into()));
}

#[test]
fn a_steering_host_refuses_other_roles_and_modes() {
    need_root!();
    let bench = Bench::with("", HEAD);
    bench.gateway.ip("link add eth1 type veth peer name peer1");
    let file = bench.modlb.file("other.toml", "role = \"member\"\n");
    for (arguments, reason) in [
        ("attach eth0 eth1", "one interface"),
        ("attach eth0 --mode generic", "leave out `--mode`"),
        ("attach eth0 --role member", "\"steer\", which stays"),
        (&format!("apply {}", file.display()), "\"steer\""),
    ] {
        // There are warnings besides the error, since the interfaces are down.
        let output = bench.modlb.output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(reason), "{arguments}: {error}");
    }
}

/// TCX came with Linux 6.6.
fn has_tcx() -> bool {
    aya::util::KernelVersion::current().unwrap() >= aya::util::KernelVersion::new(6, 6, 0)
}
