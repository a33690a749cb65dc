//! Filters: exactly the matching packets are reported, and all are counted.

use std::net::IpAddr;

use crate::{
    SERVICES, Tracing, events, need_root, summary,
    support::{
        bench::Bench,
        frame::{ICMP, TCP, UDP, ethernet, ip, ports, to_gateway},
    },
};

/// Packets of every kind.
fn frames() -> Vec<Vec<u8>> {
    let packet = |source: &str, destination: &str, protocol, from, to| {
        let [source, destination] = [source, destination].map(|text| text.parse::<IpAddr>().unwrap());
        to_gateway(&ip(source, destination, protocol, &ports(from, to)))
    };
    let mut frames = Vec::new();
    for client in 1..=9 {
        frames.push(packet(&format!("198.51.100.{client}"), "203.0.113.10", TCP, 1_000 + client, 80));
        frames.push(packet(&format!("2001:db8::{client}"), "2001:db8:f00::10", TCP, 1_000 + client, 80));
    }
    frames.push(packet("198.51.100.1", "203.0.113.11", UDP, 1_000, 53));
    frames.push(packet("198.51.100.1", "203.0.113.12", TCP, 1_000, 80));
    frames.push(packet("2001:db8::1", "2001:db8:f00::20", UDP, 1_000, 53));
    frames.push(to_gateway(&ip([198, 51, 100, 1].into(), [203, 0, 113, 11].into(), ICMP, &[8, 0, 0, 0, 0, 0, 0, 0])));
    frames.push(ethernet([0xff; 6], &[], 0x0806, &[0; 28]));
    frames
}

/// How many packets each filter takes.
const FILTERS: [(&str, u64); 22] = [
    ("", 23),
    ("--address 198.51.100.1", 4),
    ("--address 203.0.113.0/24", 12),
    ("--address 2001:db8::/32", 10),
    ("--source 198.51.100.0/29", 10),
    ("--source 203.0.113.10", 0),
    ("--destination 203.0.113.11", 2),
    ("--destination 2001:db8:f00::/48", 10),
    ("--destination 203.0.113.10 --source 198.51.100.9", 1),
    ("--port 80", 19),
    ("--port 1009", 2),
    ("--protocol udp", 2),
    ("--protocol icmp", 1),
    ("--protocol tcp --destination 203.0.113.12", 1),
    ("--service web4", 9),
    ("--service web6", 9),
    ("--service udp6", 1),
    ("--service empty", 2),
    ("--outcome forwarded", 19),
    ("--outcome no_server,no_service", 3),
    ("--outcome not_ours", 1),
    ("--interface eth0 --service web4 --outcome no_server", 0),
];

#[test]
fn matching_packets_are_reported() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let frames = frames();
    for (filter, expected) in FILTERS {
        let tracing = Tracing::start(&bench.modlb, &format!("trace --json {filter}"));
        bench.follow();
        frames.iter().for_each(|frame| drop(bench.run(frame)));
        let (out, said) = tracing.end(&bench.modlb);
        assert_eq!(events(&out).len() as u64, expected, "{filter}:\n{out}");
        assert_eq!(summary(&said), [frames.len() as u64, expected, 0], "{filter}");
    }
}

#[test]
fn packets_of_one_server() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --json --server fd00::12");
    bench.follow();
    let before = bench.counters();
    frames().iter().for_each(|frame| drop(bench.run(frame)));
    let name = "server fd00::12 of web6";
    let counted = bench.counters()[name].packets - before[name].packets;
    let (out, _) = tracing.end(&bench.modlb);
    let events = events(&out);
    assert!(counted > 0 && events.iter().all(|event| event["server"] == "fd00::12"), "{out}");
    assert_eq!(events.len() as u64, counted);
}

#[test]
fn sampling_reports_one_in_n() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --json --sample 10 --service web4");
    bench.follow();
    let frame = frames().remove(0);
    // Each CPU counts by itself.
    (0..1_000).for_each(|_| drop(bench.run(&frame)));
    let (out, said) = tracing.end(&bench.modlb);
    let (shown, cpus) = (events(&out).len(), std::thread::available_parallelism().unwrap().get());
    assert!((100..=100 + cpus).contains(&shown), "{said}");
    assert_eq!(summary(&said)[0], 1_000);
}

#[test]
fn it_ends_after_count_or_seconds() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --json --count 7");
    bench.follow();
    frames().iter().for_each(|frame| drop(bench.run(frame)));
    let (out, said) = tracing.ended(&bench.modlb);
    assert_eq!((events(&out).len(), summary(&said)[1]), (7, 7));

    let start = std::time::Instant::now();
    let (_, said) = Tracing::start(&bench.modlb, "trace --seconds 1").ended(&bench.modlb);
    assert!(start.elapsed().as_secs_f64() >= 1.0);
    assert_eq!(said, "0 packets seen, 0 shown, 0 lost\n");
}

/// A full ring buffer costs events, never packets.
#[test]
fn lost_events_are_counted() {
    need_root!();
    const MANY: u64 = 200_000;
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --json");
    bench.follow();
    tracing.signal(nix::sys::signal::Signal::SIGSTOP);
    let (frame, name) = (frames().remove(0), "outcome forwarded");
    let before = bench.counters()[name].packets;
    (0..MANY).for_each(|_| assert_eq!(bench.run(&frame).0, crate::support::bench::XDP_TX));
    assert_eq!(bench.counters()[name].packets - before, MANY);
    tracing.signal(nix::sys::signal::Signal::SIGCONT);
    let (out, said) = tracing.end(&bench.modlb);
    let [seen, shown, lost] = summary(&said);
    assert!(lost > 0, "{said}");
    assert_eq!((seen, shown + lost, events(&out).len() as u64), (MANY, MANY, shown), "{said}");
}

#[test]
fn unknown_names_are_errors() {
    need_root!();
    let bench = Bench::new(SERVICES);
    for (arguments, error) in [
        ("trace --service web", "no service web; there are: web4, web6, udp6, empty"),
        ("trace --server 10.9.9.9", "no service has a server 10.9.9.9; `modlb servers` lists them"),
        ("trace --interface eth9", "eth9 is not attached; the instance is attached to: eth0"),
        ("logs --interface eth9", "eth9 is not attached; the instance is attached to: eth0"),
        ("trace --pcap /nonexistent/file", "/nonexistent/file"),
    ] {
        assert!(bench.modlb.fails(arguments).starts_with(error), "{arguments}");
        assert!(!crate::is_traced(&bench.modlb), "{arguments}");
    }
}
