//! Which frames are the balancer's.

use std::{fs::File as StdFile, process::Stdio};

use serde_json::json;

use crate::{Desk, stderr, web, web_frame};

/// The frame with another destination.
fn to(destination: [u8; 6], mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&destination);
    frame
}

const A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
const B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];
const C: [u8; 6] = [2, 0, 0, 0, 0, 0xc];
const BROADCAST: [u8; 6] = [0xff; 6];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.put("web.toml", web(&[11, 12, 13]));
    let other = |frame: Vec<u8>| {
        // Of no service.
        let mut frame = frame;
        frame[33] = 77;
        frame
    };
    let frames: Vec<_> = (0..100)
        .map(|n| match n {
            // Received frames, frames sent to servers, frames of other hosts, and noise.
            0..30 => to(A, web_frame(n)),
            30..45 => to(B, web_frame(n)),
            45..60 => to(C, web_frame(n)),
            60..99 => to(B, other(web_frame(n))),
            _ => to(BROADCAST, web_frame(n)),
        })
        .collect();
    desk.capture("a.pcap", &frames);
    desk.capture("nobody.pcap", &frames[60..]);
    desk.capture("groups.pcap", &frames[99..]);
    desk
}

#[test]
fn most_frames_of_services_go_to_the_balancer() {
    let desk = desk();
    let found = desk.json("a.pcap -c web.toml --without-kernel");
    assert_eq!((&found["own_macs"], &found["own_macs_found"]), (&json!(["02:00:00:00:00:0a"]), &true.into()));
    assert_eq!(
        (&found["outcomes"]["forwarded"]["packets"], &found["outcomes"]["not_ours"]["packets"]),
        (&30.into(), &70.into())
    );
    let found = desk.json("nobody.pcap -c web.toml --without-kernel");
    assert_eq!(
        (&found["own_macs"], &found["outcomes"]["no_service"]["packets"]),
        (&json!(["02:00:00:00:00:0b"]), &39.into())
    );
    let found = desk.json("groups.pcap -c web.toml --without-kernel");
    assert_eq!((&found["own_macs"], &found["outcomes"]["not_ours"]["packets"]), (&json!([]), &1.into()));
}

#[test]
fn given_macs_are_used() {
    let desk = desk();
    for (given, forwarded) in [
        ("--own-mac 02:00:00:00:00:0c", 15),
        ("--own-mac 02:00:00:00:00:0b,02:00:00:00:00:0c", 30),
        ("--own-mac 02:00:00:00:00:0c --own-mac 02:00:00:00:00:0a --own-mac 02:00:00:00:00:0b", 60),
        ("--own-mac 02:00:00:00:00:99", 0),
    ] {
        let found = desk.json(&format!("a.pcap -c web.toml --without-kernel {given}"));
        assert_eq!(found["outcomes"]["forwarded"]["packets"], forwarded, "{given}");
        assert_eq!(found["own_macs_found"], false);
        if crate::support::privileged() {
            let kernel = desk.json(&format!("a.pcap -c web.toml {given}"));
            assert_eq!(crate::figures(kernel), crate::figures(found), "{given}");
        }
    }
}

/// What can be read only once cannot be looked through first.
#[test]
fn a_pipe_needs_given_macs() {
    let desk = desk();
    let pipe = |arguments: &str| {
        let mut command = desk.command(arguments);
        command.stdin(StdFile::open(desk.path("a.pcap")).unwrap()).stdout(Stdio::piped());
        command.output().unwrap()
    };
    let output = pipe("- -c web.toml --without-kernel --own-mac 02:00:00:00:00:0a");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("-: 100 packets, "), "{text}");
    let output = pipe("- -c web.toml --without-kernel");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("- can be read only once; say with --own-mac"), "{}", stderr(&output));
}

/// The balancer's own addresses are no prefix service's, and a server that has one is the balancer.
#[test]
fn own_addresses_are_local() {
    let desk = desk();
    let world = web(&[11, 12, 13]).replace("203.0.113.10", "0.0.0.0/0");
    desk.put("world.toml", world);
    let packets = |options: &str| {
        let found = desk.json(&format!("a.pcap -c world.toml --without-kernel {options}"));
        ["forwarded", "local", "no_service"].map(|outcome| found["outcomes"][outcome]["packets"].as_u64().unwrap())
    };
    assert_eq!(packets("--own-mac 02:00:00:00:00:0b"), [54, 0, 0]);
    assert_eq!(packets("--own-mac 02:00:00:00:00:0b --own-address 203.0.113.10"), [39, 0, 15]);
    assert_eq!(packets("--own-mac 02:00:00:00:00:0b --own-address 10.0.0.11,203.0.113.77"), [10, 5, 39]);
}

/// Frames from other servers of a balancer that is a server, and from peers, are judged by who sent them.
#[test]
fn what_peers_send_is_not_balanced_again() {
    let desk = Desk::new();
    let from = |source: [u8; 6], mut frame: Vec<u8>| {
        frame[6..12].copy_from_slice(&source);
        frame
    };
    // Ninety from a router, twenty from each server.
    let frames: Vec<_> = (0..150)
        .map(|number| match number {
            0..90 => web_frame(number),
            90..110 => from(A, web_frame(number)),
            110..130 => from(B, web_frame(number)),
            _ => from(C, web_frame(number)),
        })
        .collect();
    desk.capture("a.pcap", &frames);
    let given = [11, 12, 13].iter().zip(["0a", "0b", "0c"]).fold(web(&[11, 12, 13]), |text, (number, mac)| {
        let address = format!("address = \"10.0.0.{number}\"\n");
        text.replace(&address, &format!("{address}mac = \"02:00:00:00:00:{mac}\"\n"))
    });
    desk.put("web.toml", &given);
    desk.put("peers.toml", format!("peers = [\"10.0.0.12\", \"10.0.0.99\"]\n{given}"));
    // Outcomes, and what each server takes.
    let figures = |arguments: &str| {
        let arguments = format!("a.pcap --own-mac 02:00:00:00:00:01 {arguments}");
        let found = desk.json(&format!("{arguments} --without-kernel"));
        if crate::support::privileged() {
            assert_eq!(crate::figures(desk.json(&arguments)), crate::figures(found.clone()), "{arguments}");
        }
        let outcomes = ["forwarded", "local", "loop"].map(|name| found["outcomes"][name]["packets"].as_u64().unwrap());
        let servers = found["services"][0]["servers"].as_array().unwrap().clone();
        (outcomes, servers.iter().map(|server| server["packets"].as_u64().unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(figures("--config web.toml"), ([150, 0, 0], vec![50, 50, 50]));
    // The balancer is the first server: it takes what the others send, and its own part of the rest.
    let (outcomes, servers) = figures("--config web.toml --own-address 10.0.0.11");
    assert_eq!((outcomes[1], outcomes[2]), (servers[0], 0));
    assert!((70..=80).contains(&servers[0]) && servers.iter().sum::<u64>() == 150, "{servers:?}");
    let (outcomes, servers) = figures("--config peers.toml");
    assert_eq!((outcomes, servers.iter().sum()), ([130, 0, 20], 130_u64));
}
