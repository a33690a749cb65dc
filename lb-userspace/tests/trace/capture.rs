//! `--pcap`, read by Wireshark's reader.

use std::process::Command;

use crate::{
    SERVICES, Tracing, need_root,
    support::{
        bench::Bench,
        frame::{TCP, UDP, ip, ports, sent_to, to_gateway},
    },
};

/// What tshark prints of a file: for each frame these fields.
fn tshark(file: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", file, "-T", "fields", "-E", "separator=|"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    // Of root it always warns.
    assert!(error.lines().all(|line| line.contains("Running as user")), "{error}");
    let out = String::from_utf8(output.stdout).unwrap();
    out.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn captures_have_frames_before_and_after_with_comments() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let file = bench.modlb.file("trace.pcapng", "").display().to_string();
    let tracing = Tracing::start(&bench.modlb, &format!("trace --pcap {file}"));
    bench.follow();
    let four = |port| {
        let payload = [&ports(51_234, port)[..], &[7; 1_400]].concat();
        to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 10].into(), TCP, &payload))
    };
    let six =
        to_gateway(&ip("2001:db8::7".parse().unwrap(), "2001:db8:f00::10".parse().unwrap(), TCP, &ports(51_234, 80)));
    let empty = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 11].into(), UDP, &ports(5, 53)));
    for frame in [&four(80), &six, &empty, &four(81)] {
        bench.run(frame);
    }
    let (out, said) = tracing.end(&bench.modlb);
    assert_eq!((out.as_str(), said.as_str()), ("", "4 packets seen, 4 shown, 0 lost\n"));

    let sum4 = 0xc633_6407_u64 + 0xcb00_710a + 80;
    let sum6 = u128::from_be_bytes([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7])
        + u128::from_be_bytes([0x20, 1, 0xd, 0xb8, 0xf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10])
        + 51_234
        + 80
        + 6;
    let (slot4, slot6) = (sum4 % 3, (sum6 % 3) as u64);
    let comment4 = format!("forwarded, service web4, server 10.0.0.1{}, 3-tuple {sum4} % 3 = {slot4}", 1 + slot4);
    let comment6 = format!("forwarded, service web6, server fd00::1{}, 5-tuple {sum6} % 3 = {slot6}", 1 + slot6);
    let sent4 = sent_to([2, 0, 0, 0, 0, 0x11 + slot4 as u8], &four(80));
    let sent6 = sent_to([2, 0, 0, 0, 0, 0x21 + slot6 as u8], &six);
    let row = |frame: &[u8], way: &str, comment: String| {
        vec!["eth0".to_owned(), way.to_owned(), frame.len().to_string(), hex(&frame[..14]), comment]
    };
    let wanted = vec![
        row(&four(80), "1", comment4.clone()),
        row(&sent4, "2", comment4 + "; as rewritten"),
        row(&six, "1", comment6.clone()),
        row(&sent6, "2", comment6 + "; as rewritten"),
        row(&empty, "1", "no_server, service empty".to_owned()),
        row(&four(81), "1", "no_service".to_owned()),
    ];
    let fields = [
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.len",
        "eth.dst",
        "eth.src",
        "eth.type",
        "frame.comment",
    ];
    let found: Vec<_> = tshark(&file, &fields)
        .into_iter()
        .map(|row| {
            let [interface, way, length, destination, source, kind, comment] = row.try_into().unwrap();
            let way = way.trim_start_matches("0x").trim_start_matches('0').to_owned();
            let header = (destination + &source + kind.trim_start_matches("0x")).replace(':', "");
            vec![interface, way, length, header, comment]
        })
        .collect();
    assert_eq!(found, wanted);

    // Every byte, as another reader of captures has it.
    let bytes = std::fs::read(&file).unwrap();
    let mut capture = lb_userspace::replay::capture::Capture::new(&bytes[..]).unwrap();
    for frame in [&four(80), &sent4, &six, &sent6, &empty, &four(81)] {
        let read = capture.next().unwrap().unwrap();
        assert_eq!((read.bytes, read.length), (&frame[..], frame.len() as u32));
    }
}

/// Interface, way (1: in, 2: out) and outcome of each frame of a capture with this role.
fn ways(role: &str, options: &str, frames: &[Vec<u8>]) -> Vec<[String; 3]> {
    let mut bench = Bench::with(options, &format!("role = \"{role}\"\n{SERVICES}"));
    let file = bench.modlb.file("trace.pcapng", "").display().to_string();
    let tracing = Tracing::start(&bench.modlb, &format!("trace --pcap {file}"));
    bench.follow();
    frames.iter().for_each(|frame| drop(bench.run(frame)));
    tracing.end(&bench.modlb);
    let rows = tshark(&file, &["frame.interface_name", "frame.packet_flags_direction", "frame.comment"]);
    let short = |row: Vec<String>| {
        let [interface, way, comment] = row.try_into().unwrap();
        let rewritten = if comment.ends_with("; as rewritten") { ", rewritten" } else { "" };
        let outcome = comment.split(',').next().unwrap().to_owned() + rewritten;
        [interface, way.trim_start_matches("0x").trim_start_matches('0').to_owned(), outcome]
    };
    rows.into_iter().map(short).collect()
}

/// What a server keeps came in, and what it hands on goes out.
#[test]
fn captures_of_servers_that_keep_connections_know_ways() {
    need_root!();
    let ack = [&ports(51_234, 80)[..], &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]].concat();
    let four = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 10].into(), TCP, &ack));
    let six = to_gateway(&ip("2001:db8::7".parse().unwrap(), "2001:db8:f00::10".parse().unwrap(), TCP, &ack));
    let other = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 11].into(), UDP, &ports(5, 53)));
    let row = |way: &str, outcome: &str| ["eth0", way, outcome].map(str::to_owned);
    let handed_on = [row("1", "handed_on"), row("2", "handed_on, rewritten")];
    let wanted = [&handed_on[..], &handed_on, &[row("1", "local")]].concat();
    assert_eq!(ways("keep", "", &[four, six, other]), wanted);
}

/// A server that steers sends whatever it sees.
#[test]
fn captures_of_steering_servers_know_ways() {
    need_root!();
    let reply = ip([203, 0, 113, 10].into(), [198, 51, 100, 7].into(), TCP, &ports(80, 51_234));
    let other = ip([203, 0, 113, 12].into(), [198, 51, 100, 7].into(), TCP, &ports(80, 51_234));
    let row = |outcome: &str| ["eth0", "2", outcome].map(str::to_owned);
    let found = ways("steer", "", &[reply, other].map(|packet| to_gateway(&packet)));
    assert_eq!(found, [row("forwarded"), row("forwarded, rewritten"), row("no_service")]);
}

/// A pipe into tshark, as the documents show it, which ends when tshark has enough.
#[test]
fn a_live_capture_can_be_piped() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let mut command = bench.modlb.command("trace --pcap -");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    while !crate::is_traced(&bench.modlb) {
        assert!(start.elapsed() < crate::PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bench.follow();
    let mut tshark = Command::new("tshark");
    tshark
        .args(["-n", "-r", "-", "-c", "2", "-T", "fields", "-e", "frame.comment"])
        .stdin(child.stdout.take().unwrap());
    tshark.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let reader = tshark.spawn().unwrap();
    // It also holds the end of the pipe.
    drop(tshark);
    let frame = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 10].into(), TCP, &ports(51_234, 80)));
    bench.run(&frame);
    let out = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(
        out.lines().filter(|line| line.starts_with("forwarded, service web4, server 10.0.0.1")).count(),
        2,
        "{out}"
    );
    // The pipe is closed.
    bench.run(&frame);
    assert!(child.wait().unwrap().success());
    assert!(!crate::is_traced(&bench.modlb));
}
