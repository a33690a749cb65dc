//! `modlb logs`.

use crate::{
    SERVICES, Tracing, events, need_root,
    support::{
        bench::Bench,
        frame::{TCP, ip, ports, to_gateway},
    },
};

fn messages(bench: &mut Bench, arguments: &str) -> Vec<(String, String)> {
    let packet = |destination: &str, port| {
        let (client, destination) = ("198.51.100.7".parse().unwrap(), destination.parse().unwrap());
        to_gateway(&ip(client, destination, TCP, &ports(51_234, port)))
    };
    let frames = [packet("203.0.113.10", 80), packet("203.0.113.11", 80), packet("203.0.113.10", 81)];
    let tracing = Tracing::start(&bench.modlb, &format!("logs --json {arguments}"));
    bench.follow();
    frames.iter().chain([&frames[0][..16].to_vec()]).for_each(|frame| drop(bench.run(frame)));
    let (out, said) = tracing.end(&bench.modlb);
    assert!(said.starts_with("4 packets seen"), "{said}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    events(&out)
        .iter()
        .map(|line| {
            assert_eq!(line["interface"], "eth0");
            (text(&line["level"]), text(&line["message"]))
        })
        .collect()
}

/// Each level has what the one before has, and more.
#[test]
fn levels_select_messages() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let warnings = messages(&mut bench, "--level warn");
    let wanted = [
        ("warn", "no_server: its service has no server that is up; 66 bytes dropped"),
        ("warn", "malformed: a header is broken or cut off; 16 bytes passed"),
    ];
    assert_eq!(warnings, wanted.map(|(level, message)| (level.to_owned(), message.to_owned())));
    assert!(messages(&mut bench, "--level error").is_empty());
    assert_eq!(messages(&mut bench, ""), warnings);

    let debug = messages(&mut bench, "--level debug");
    let said: Vec<_> = debug.iter().map(|(_, message)| message.as_str()).collect();
    let sum = 0xc633_6407_u64 + 0xcb00_710a + 80;
    assert_eq!(said[0], "198.51.100.7 port 51234 to 203.0.113.10 port 80, protocol 6, fragment: 0");
    assert!(said[1].starts_with("a service's cell takes it: tag ") && said[1].ends_with(", 3 slots"), "{}", said[1]);
    assert!(said[2].starts_with(&format!("slot {} of 3: the server with counter ", sum % 3)), "{}", said[2]);
    assert_eq!(said[3], "forwarded: 66 bytes sent to the server");
    assert!(said.contains(&"no_service: no service takes it; 66 bytes passed"), "{said:?}");
    assert!(warnings.iter().all(|warning| debug.contains(warning)));
    let trace = messages(&mut bench, "--level trace");
    assert_eq!(trace.iter().filter(|(level, _)| level == "trace").count(), 4);
    assert!(trace[0].1.starts_with("66 bytes came by interface "), "{}", trace[0].1);
}

#[test]
fn messages_of_one_address() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    assert_eq!(messages(&mut bench, "--level warn --address 203.0.113.11").len(), 1);
    assert!(messages(&mut bench, "--level warn --address 203.0.113.10").is_empty());
}

/// A reader that has seen enough ends it.
#[test]
fn a_closed_pipe_ends_it() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let mut command = bench.modlb.command("logs --level debug");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    while !crate::is_traced(&bench.modlb) {
        assert!(start.elapsed() < crate::PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(child.stdout.take());
    bench.follow();
    bench.run(&[0; 60]);
    assert!(child.wait().unwrap().success());
    assert!(!crate::is_traced(&bench.modlb));
}
