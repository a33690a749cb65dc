//! While members disagree for a moment, a packet may be taken by two or by none. The order of commands decides which.

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
        wait::wait,
    },
};

const MEMBERS: u8 = 3;

/// The pause between two rounds of datagrams, one from each client.
const PACE: Duration = Duration::from_millis(1);

/// The member that goes down and comes up.
const DOWN: usize = 1;

/// For how long datagrams are sent after a change.
const AFTER: Duration = Duration::from_millis(300);

/// When nothing has arrived for this long, everything has arrived that will.
const QUIET: Duration = Duration::from_secs(1);

/// The datagrams around one change.
#[derive(Debug)]
struct Window {
    sent: u64,
    /// Datagrams that no member took.
    none: u64,
    /// Datagrams that two members took.
    two: u64,
    /// From the first member's change to the last's.
    time: Duration,
}

/// Sends to both services while a change is made on one member after the other.
///
/// While the members' tables agree, each datagram is taken once, so every missing or extra one belongs to the window.
/// With one order of commands datagrams can only be missing, with the other only be taken twice.
fn window(cluster: &Cluster, verb: &str, order: &[usize]) -> Window {
    let over = Arc::new(AtomicBool::new(false));
    let received = || cluster.hosts.iter().map(|host| host.datagrams.load(Ordering::SeqCst)).sum::<u64>();
    let before = received();
    let (sent, time) = thread::scope(|scope| {
        let over = &over;
        let sender = scope.spawn(move || cluster.client.within(|| send(cluster, over)));
        // All clients have sent then, and neighbours are resolved.
        wait(|| received() > before + 100, || "hardly anything arrives".to_owned());
        let start = Instant::now();
        for member in order {
            for service in SERVICES {
                let server = server_address(service.is_ipv6(), DOWN as u8);
                cluster.members[*member].ok(&format!("server {verb} {} {server}", name(service)));
            }
        }
        let time = start.elapsed();
        thread::sleep(AFTER);
        over.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), time)
    });
    let is_quiet = || {
        let earlier = received();
        thread::sleep(QUIET);
        received() == earlier
    };
    wait(is_quiet, || "datagrams do not stop arriving".to_owned());
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

/// If the member that loses flows changes first, no packet is taken twice, which would break connections. If the
/// members that gain flows change first, no packet is lost.
#[test]
fn the_order_of_commands_decides_between_loss_and_duplicates() {
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
        // Only flows of one member are affected, and only for a moment.
        assert!(some < found.sent / 2, "{verb}, {order}: {found:?}");
    }
}
