//! While members disagree for a moment a packet may be taken by two or by none. How many are, by the order of commands.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    need_root,
    support::{
        cluster::{Cluster, GROUP},
        network::{SERVICES, datagrams_to, name, server_address},
    },
};

const MEMBERS: u8 = 3;

/// Between two rounds of datagrams, one from each client.
const PACE: Duration = Duration::from_millis(1);

/// The member that goes down and comes up.
const DOWN: usize = 1;

/// How long the last datagrams may be on their way.
const SETTLE: Duration = Duration::from_millis(300);

/// What became of the datagrams around one change.
#[derive(Debug)]
struct Window {
    sent: u64,
    /// Datagrams that nobody took.
    none: u64,
    /// Datagrams that two took.
    two: u64,
    /// From the first member's change to the last's.
    time: Duration,
}

/// Sends to both services while a change is made on one member after the other.
///
/// Datagrams of members whose tables agree are taken once, so that what is missing or too much belongs to the window;
/// in one order of commands only one of both can happen.
fn window(cluster: &Cluster, verb: &str, order: &[usize]) -> Window {
    let over = Arc::new(AtomicBool::new(false));
    let received = || cluster.hosts.iter().map(|host| host.datagrams.load(Ordering::SeqCst)).sum::<u64>();
    let before = received();
    let (sent, time) = thread::scope(|scope| {
        let over = &over;
        let sender = scope.spawn(move || cluster.client.within(|| send(cluster, over)));
        thread::sleep(SETTLE);
        let start = Instant::now();
        for member in order {
            for service in SERVICES {
                let server = server_address(service.is_ipv6(), DOWN as u8);
                cluster.members[*member].ok(&format!("server {verb} {} {server}", name(service)));
            }
        }
        let time = start.elapsed();
        thread::sleep(SETTLE);
        over.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), time)
    });
    thread::sleep(SETTLE);
    let received = received() - before;
    Window { sent, none: sent.saturating_sub(received), two: received.saturating_sub(sent), time }
}

fn send(cluster: &Cluster, over: &AtomicBool) -> u64 {
    let sockets: Vec<_> = SERVICES
        .into_iter()
        .flat_map(|service| cluster.client_addresses(service).into_iter().map(move |c| datagrams_to(c, service)))
        .collect();
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        for socket in &sockets {
            socket.send(b"?").unwrap();
            sent += 1;
        }
        thread::sleep(PACE);
    }
    sent
}

/// Who loses flows is told first, then nobody takes a packet twice, which would end connections; who gains them first,
/// then no packet is lost.
#[test]
fn the_order_decides_between_none_and_two() {
    need_root!();
    let cluster = Cluster::new(MEMBERS, 12);
    for service in SERVICES {
        cluster.client.ip(&format!("neigh replace {service} lladdr {GROUP} dev eth0 nud permanent"));
    }
    let what = "protocol = \"udp\"\nport = 9000";
    cluster.attach("auto", &cluster.configuration(&format!("group_mac = \"{GROUP}\""), what));
    for (verb, order, losing_first) in [
        ("down", [DOWN, 0, 2], true),
        ("up", [0, 2, DOWN], true),
        ("down", [0, 2, DOWN], false),
        ("up", [DOWN, 0, 2], false),
    ] {
        let found = window(&cluster, verb, &order);
        let order = if losing_first { "losers first" } else { "gainers first" };
        let _ = writeln!(
            io::stderr(),
            "server {verb}, {order}: {} datagrams, {} taken by none, {} by two, within {:.0?}",
            found.sent,
            found.none,
            found.two,
            found.time
        );
        let (never, some) = if losing_first { (found.two, found.none) } else { (found.none, found.two) };
        assert!(never == 0, "{verb}, {order}: {found:?}");
        assert!(some > 0, "the members never disagreed, so that nothing was measured: {found:?}");
        // Only flows of the one member are concerned, and only in the meantime.
        assert!(some < found.sent / 2, "{verb}, {order}: {found:?}");
    }
}
