//! Captures that are cut: packets by a snap length, files anywhere.

use std::io::Cursor;

use lb_common::{mac::Mac, outcome::Outcome};
use lb_userspace::{
    config::model::{Config, Role},
    replay::{Method, Progress, ReplayStats, Setting, capture::Capture, replay},
};
use serde_json::{Value, json};

use crate::{
    Desk, PCAP, config, figures, frames, need_root,
    random::Random,
    support::{
        capture::{FORMATS, File},
        frame::{GATEWAY, ICMP, TCP, ip, ports, to_gateway},
    },
    web, web_frame,
};

/// A capture, replayed in this process.
fn counted(config: &Config, capture: Vec<u8>) -> ReplayStats {
    let setting = Setting { config: config.clone(), own_macs: vec![Mac(GATEWAY)], ..Setting::default() };
    let capture = Capture::new(Cursor::new(capture)).unwrap();
    let replayed = replay(&setting, Method::Host, capture, &mut Progress::new("", None)).unwrap();
    assert!(replayed.error.is_none());
    replayed.stats
}

fn met(stats: &ReplayStats) -> Vec<(Outcome, u64)> {
    let outcomes = Outcome::ALL.iter().zip(&stats.outcomes).map(|(outcome, counter)| (*outcome, counter.packets));
    outcomes.filter(|(_, packets)| *packets > 0).collect()
}

/// However much of it was captured, a packet is judged as it was, or not at all.
#[test]
fn truncation_never_changes_a_verdict() {
    let mut random = Random::new(3);
    let (mut judged, mut undecided) = (0, 0);
    for _ in 0..60 {
        let config = config::any(&mut random, Role::Balancer);
        for _ in 0..12 {
            let frame = frames::any(&mut random, &config);
            let whole = met(&counted(&config, File::with(PCAP, [&frame])));
            let [(outcome, 1)] = whole[..] else { panic!("{whole:?}") };
            let mut cuts = File::new(PCAP);
            (0..frame.len()).for_each(|length| cuts.cut(&frame[..length], frame.len() as u32));
            let stats = counted(&config, cuts.bytes);
            let found = met(&stats);
            assert!(found.iter().all(|(found, _)| *found == outcome), "{frame:02x?}: {found:?}, not {outcome}");
            assert_eq!(stats.frames.packets, frame.len() as u64);
            assert_eq!(stats.filled.packets, found.iter().map(|(_, packets)| packets).sum::<u64>());
            assert_eq!(stats.undecided.packets + stats.filled.packets, frame.len() as u64);
            (judged, undecided) = (judged + stats.filled.packets, undecided + stats.undecided.packets);
        }
    }
    assert!(judged > 1_000 && undecided > 1_000, "{judged} judged, {undecided} undecided");
}

/// As `tcpdump -s 96` has them.
fn snapped(desk: &Desk) {
    let clients = (0..1_000).map(|client| [web_frame(client), vec![0xcd; 1_000]].concat());
    // The IP header's length is of a packet that reaches to the frame's end.
    let long: Vec<_> = clients
        .map(|mut frame| {
            let length = (frame.len() - 14) as u16;
            frame[16..18].copy_from_slice(&length.to_be_bytes());
            frame
        })
        .collect();
    desk.capture("whole.pcap", &long);
    let mut file = File::new(PCAP);
    long.iter().for_each(|frame| file.cut(&frame[..54], frame.len() as u32));
    // Too little: an IP header without ports, and an error without what it quotes.
    file.cut(&long[0][..35], long[0].len() as u32);
    let error = to_gateway(&ip(
        [198, 51, 100, 1].into(),
        [203, 0, 113, 10].into(),
        ICMP,
        &[&[3, 4, 0, 0, 0, 0, 5, 0][..], &ip([203, 0, 113, 10].into(), [198, 51, 100, 1].into(), TCP, &ports(80, 1))]
            .concat(),
    ));
    file.cut(&error[..50], error.len() as u32);
    desk.put("cut.pcap", file.bytes);
    desk.put("web.toml", web(&[11, 12, 13]));
}

fn assert_snapped(whole: &Value, cut: &Value) {
    assert_eq!(cut["services"], whole["services"]);
    assert_eq!(cut["outcomes"], whole["outcomes"]);
    assert_eq!(cut["cut"]["judged"], json!({"packets": 1_000, "bytes": whole["bytes"]}));
    assert_eq!(cut["cut"]["undecided"]["packets"], 2);
    assert_eq!(cut["packets"], 1_002);
}

#[test]
fn truncated_frames_are_judged() {
    let desk = Desk::new();
    snapped(&desk);
    let arguments = "--config web.toml --without-kernel";
    let (whole, cut) = (desk.json(&format!("whole.pcap {arguments}")), desk.json(&format!("cut.pcap {arguments}")));
    assert_eq!(whole["outcomes"]["forwarded"]["packets"], 1_000);
    assert_snapped(&whole, &cut);
    let text = desk.output(&format!("cut.pcap {arguments}")).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("\n1000 of them (1066000 bytes) were truncated, but with everything that decides\n"),
        "{text}"
    );
    assert!(text.contains("\n2 of them (1160 bytes) were truncated too early to be judged"), "{text}");
}

#[test]
fn truncated_frames_are_judged_by_the_kernel() {
    need_root!();
    let desk = Desk::new();
    snapped(&desk);
    let (whole, cut) = (desk.json("whole.pcap --config web.toml"), desk.json("cut.pcap --config web.toml"));
    assert_snapped(&whole, &cut);
    assert_eq!(cut["judged_by"]["kernel"]["packets"], 1_000);
    assert_eq!(figures(cut), figures(desk.json("cut.pcap --config web.toml --without-kernel")));
}

/// The figures up to the place, the error, and status 1.
fn a_truncated_file(options: &str) {
    let desk = Desk::new();
    desk.put("web.toml", web(&[11, 12, 13]));
    let frames: Vec<_> = (0..300).map(web_frame).collect();
    for format in FORMATS {
        let file = File::with(format, &frames);
        let before = File::with(format, &frames[..200]);
        desk.put("before.pcap", &before);
        desk.put("broken.pcap", &file[..before.len() + 40]);
        let (error, json) = desk.fails(&format!("broken.pcap --config web.toml --json {options}"));
        let place = format!("at byte {}, where packet 201 should be: the file ends in the middle of", before.len());
        assert!(error.starts_with(&format!("broken.pcap: {place}")), "{error}");
        let mut found: Value = serde_json::from_str(&json).unwrap();
        assert!(found["error"].as_str().unwrap().starts_with(&place), "{found}");
        let expected = desk.json(&format!("before.pcap --config web.toml {options}"));
        assert_eq!(expected["services"][0]["packets"], 200);
        (found["error"], found["file"]) = (Value::Null, "before.pcap".into());
        assert_eq!(found, expected, "{format:?}");
        let (_, text) = desk.fails(&format!("broken.pcap --config web.toml {options}"));
        assert!(text.starts_with("broken.pcap: 200 packets, 13200 bytes\n"), "{text}");
    }
}

#[test]
fn a_truncated_file_gives_figures_and_an_error() {
    a_truncated_file("--without-kernel");
}

#[test]
fn a_truncated_file_gives_figures_and_an_error_with_the_kernel() {
    need_root!();
    a_truncated_file("");
}
