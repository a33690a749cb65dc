//! Roles `member` and `steer`.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use aya::util::KernelVersion;
use lb_common::{outcome::Outcome, table::Counter};
use lb_userspace::datapath::Totals;

use crate::{
    assert_well,
    instance::{SMALL, make_former},
    need_root, open,
    support::{
        frame::{UDP, ether_type, ethernet, ip, ports},
        modlb::Modlb,
        namespace::Namespace,
        wait::{PATIENCE, wait},
        wire::Wire,
    },
};

const SERVICE: &str = "203.0.113.10";

fn host(label: &str) -> (Namespace, Modlb) {
    let host = Namespace::new(label);
    host.ip("link add eth0 address 02:00:00:00:00:0b type veth peer name peer0");
    host.ip("addr add 10.0.0.11/24 dev eth0");
    host.ip("link set eth0 up");
    host.ip("link set peer0 up");
    let modlb = Modlb::new(&host);
    (host, modlb)
}

/// Runs `modlb upgrade` while `send` sends packets with these numbers; returns how many there were.
fn upgrade_under_load(modlb: &Modlb, send: impl Fn(u16) + Sync) -> u16 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                send(sent);
                sent += 1;
                thread::sleep(Duration::from_micros(500));
            }
            sent
        });
        // Some packets before, so that both versions have counted.
        thread::sleep(Duration::from_millis(50));
        let output = modlb.output("upgrade");
        stop.store(true, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        sent
    })
}

fn outcome(totals: &Totals, outcome: Outcome) -> Counter {
    totals.outcomes[outcome.index() as usize]
}

#[test]
fn a_member_takes_its_share() {
    need_root!();
    let group = [1, 0, 0x5e, 0x7f, 0, 9];
    let (host, modlb) = host("old-member");
    let text = format!(
        "role = \"member\"\ngroup_mac = \"01:00:5e:7f:00:09\"\n[[service]]\nname = \"web\"\naddress = \"{SERVICE}\"\n\
         protocol = \"udp\"\nport = 80\n[[service.server]]\naddress = \"10.0.0.11\"\n[[service.server]]\naddress = \"10.0.0.12\"\n"
    );
    modlb.attach(&format!("eth0 --mode generic {SMALL}"), &text);
    let before = open(&host, &modlb);
    make_former(&host, &modlb, Some(group));
    let peer = Wire::new(&host, "peer0");
    let send = |number: u16| {
        let client = IpAddr::from([198, 51, 100, (number % 250) as u8]);
        let packet = ip(client, SERVICE.parse().unwrap(), UDP, &ports(number, 80));
        peer.send(&ethernet(group, &[], ether_type(&packet), &packet));
    };
    (0..100).for_each(send);
    let counted = || before.totals().unwrap().services[0].total.packets;
    wait(|| counted() == 100, || format!("{} of 100 packets are counted", counted()));
    let sent = 100 + upgrade_under_load(&modlb, send);
    let status = assert_well(&modlb);
    assert_eq!((&status["role"], &status["interfaces"][0]["mode"]), (&"member".into(), &"generic".into()));
    let now = open(&host, &modlb);
    let counted = || now.totals().unwrap().services[0].total.packets;
    wait(|| counted() == u64::from(sent), || format!("{} of {sent} packets are counted", counted()));
    let (former, now) = (before.totals().unwrap(), now.totals().unwrap());
    let (accepted, others) = (outcome(&now, Outcome::Accepted), outcome(&now, Outcome::Others));
    assert_eq!(accepted.packets + others.packets, u64::from(sent));
    // Clients come in turn, and half of them are this member's.
    assert!(accepted.packets.abs_diff(others.packets) <= 126, "{accepted:?}, {others:?}");
    assert!(outcome(&former, Outcome::Accepted).packets < accepted.packets);
    // What was recorded of the interface is given back.
    let joined = || host.run("ip", "maddr show dev eth0").contains("01:00:5e:7f:00:09");
    assert!(joined());
    modlb.ok("detach");
    assert!(!joined());
}

#[test]
fn a_steering_host_steers_all() {
    need_root!();
    if KernelVersion::current().unwrap() >= KernelVersion::new(6, 6, 0) {
        everything_is_steered("", "tcx");
    }
    everything_is_steered(" --clsact", "clsact");
}

fn everything_is_steered(option: &str, link: &str) {
    let (host, modlb) = host("old-steer");
    let text = format!(
        "role = \"steer\"\n[[service]]\nname = \"web\"\naddress = \"{SERVICE}\"\nprotocol = \"udp\"\nport = 80\n\
         [[service.server]]\naddress = \"10.0.0.21\"\nmac = \"02:00:00:00:02:15\"\n\
         [[service.server]]\naddress = \"10.0.0.22\"\nmac = \"02:00:00:00:02:16\"\n"
    );
    modlb.attach(&format!("eth0 {SMALL}{option}"), &text);
    let before = open(&host, &modlb);
    make_former(&host, &modlb, None);
    let (from, to) = (Wire::new(&host, "eth0"), Wire::new(&host, "peer0"));
    let send = |number: u16| {
        let client = IpAddr::from([198, 51, 100, (number % 250) as u8]);
        let packet = ip(SERVICE.parse().unwrap(), client, UDP, &ports(80, number));
        from.send(&ethernet([2, 0, 0, 0, 9, 9], &[], ether_type(&packet), &packet));
    };
    let sent = upgrade_under_load(&modlb, send);
    let mut missing: HashSet<u16> = (0..sent).collect();
    let mut routers = [0; 2];
    let start = std::time::Instant::now();
    while !missing.is_empty() && start.elapsed() < PATIENCE {
        let Some(frame) = to.receive(Duration::from_millis(100)) else { continue };
        if frame.get(12..14) != Some(&[8, 0]) || frame.len() < 38 {
            continue;
        }
        if missing.remove(&u16::from_be_bytes([frame[36], frame[37]])) {
            assert_eq!(frame[..5], [2, 0, 0, 0, 2], "it was not steered");
            routers[usize::from(frame[5] - 0x15)] += 1;
        }
    }
    assert!(missing.is_empty(), "{} of {sent} packets are lost", missing.len());
    assert!(routers.iter().all(|packets| *packets > 0), "{routers:?}");
    let status = assert_well(&modlb);
    assert_eq!((&status["role"], &status["interfaces"][0]["link"]), (&"steer".into(), &link.into()));
    let now = open(&host, &modlb);
    assert_eq!(now.totals().unwrap().services[0].total.packets, u64::from(sent));
    assert!(before.totals().unwrap().services[0].total.packets > 0);
    let filters = || host.run("tc", "filter show dev eth0 egress").matches("handle 0x").count();
    assert_eq!(filters(), usize::from(link == "clsact"));
    modlb.ok("detach");
    assert_eq!(filters(), 0);
}
