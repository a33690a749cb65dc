//! The command as a user meets it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Stdio},
};

use crate::{Desk, PCAP, need_root, stderr, support::capture::File, web, web_frame};

fn desk(packets: u32) -> Desk {
    let desk = Desk::new();
    desk.put("web.toml", web(&[11, 12, 13]));
    let frames: Vec<_> = (0..packets).map(web_frame).collect();
    desk.capture("a.pcap", &frames);
    desk
}

fn text(desk: &Desk, arguments: &str) -> String {
    let output = desk.output(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn the_text_keeps_its_shape() {
    let desk = desk(300);
    desk.put("four.toml", web(&[11, 12, 13, 14]));
    let text = text(&desk, "a.pcap --config web.toml --down 10.0.0.12 --against four.toml --without-kernel");
    let expected = "\
a.pcap: 300 packets, 19800 bytes
judged by this command, without the kernel
frames to 02:00:00:00:00:01 are the balancer's: most frames for services go there

outcome           packets  bytes
forwarded             300  19800
local                   0      0
no_server               0      0
unreachable             0      0
standby                 0      0
not_ours                0      0
not_ip                  0      0
malformed               0      0
too_many_headers        0      0
fragment                0      0
no_service              0      0
accepted                0      0
others                  0      0
answered                0      0
loop                    0      0
kept                    0      0
handed_on               0      0
taken_last              0      0

web (203.0.113.10:80/tcp): 300 packets, 19800 bytes, 300 flows
server     packets  bytes  flows   share    fair
10.0.0.11      100   6600    100  33.3 %  33.3 %  ########################
10.0.0.12      100   6600    100  33.3 %  33.3 %  ########################
10.0.0.13      100   6600    100  33.3 %  33.3 %  ########################

worst imbalance: 10.0.0.13 of web takes 1.00 times its fair share, the part of the service's packets that its weight entitles it to

change          flows  moved  of others  unserved  packets  packets moved  taken anew
10.0.0.12 down    300    100          0         0      300            100           0
as four.toml      300    225          -         0      300            225           0
";
    assert_eq!(text, expected);
}

#[test]
fn an_empty_capture_is_replayed() {
    let desk = desk(0);
    let text = text(&desk, "a.pcap --config web.toml --without-kernel");
    assert!(text.starts_with("a.pcap: 0 packets, 0 bytes\n"), "{text}");
    assert!(!text.contains("worst imbalance"), "{text}");
    let found = desk.json("a.pcap --config web.toml --without-kernel --down 10.0.0.11");
    assert_eq!((&found["worst"], &found["changes"][0]["flows"]["all"]), (&serde_json::Value::Null, &0.into()));
}

#[test]
fn errors_name_their_cause() {
    let desk = desk(3);
    desk.put("foreign", "[[service]]\n");
    desk.put("empty", "");
    let mut linux = File::of(PCAP, 113);
    linux.frame(&[1; 60]);
    desk.put("any.pcap", linux.bytes);
    desk.put("bad.toml", web(&[11, 11]));
    for (arguments, error) in [
        ("foreign -c web.toml", "foreign: at the start: this is not a pcap or pcapng file"),
        ("empty -c web.toml", "empty: at the start: the file is empty"),
        ("any.pcap -c web.toml", "any.pcap: at the start: the link type is LINUX_SLL, not Ethernet"),
        ("none.pcap -c web.toml", "none.pcap: No such file or directory"),
        ("a.pcap -c none.toml", "none.toml: No such file or directory"),
        ("a.pcap -c bad.toml", "bad.toml:9:1: service web: server 10.0.0.11 listed twice"),
        ("a.pcap -c web.toml --against bad.toml", "bad.toml:9:1: service web: server 10.0.0.11 listed twice"),
        ("a.pcap -c web.toml --down 10.0.0.99", "--down 10.0.0.99: no service has this server"),
    ] {
        let (found, printed) = desk.fails(&format!("{arguments} --without-kernel"));
        assert!(found.starts_with(error) && printed.is_empty(), "{arguments}: {found}\n{printed}");
    }
    let downs: String = (0..33).map(|_| " --down 10.0.0.11").collect();
    let (error, _) = desk.fails(&format!("a.pcap -c web.toml --without-kernel{downs}"));
    assert_eq!(error, "33 changes are asked for; a replay takes at most 32");
    for arguments in ["", "a.pcap", "a.pcap -c web.toml --down ten", "a.pcap -c web.toml --own-mac 02:00"] {
        assert_eq!(desk.output(arguments).status.code(), Some(2), "{arguments}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let desk = desk(3);
    let mut command = desk.command("a.pcap -c web.toml --without-kernel");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
}

/// Without the kernel it needs no root; with it, the error says so.
#[test]
fn it_works_without_privileges() {
    need_root!();
    const NOBODY: u32 = 65_534;
    let desk = desk(30);
    // Where the user `nobody` may read and run.
    let binary = desk.path("modlb");
    fs::copy(env!("CARGO_BIN_EXE_modlb"), &binary).unwrap();
    let readable = fs::Permissions::from_mode(0o755);
    [desk.path("."), binary.clone()].iter().for_each(|path| fs::set_permissions(path, readable.clone()).unwrap());
    let run = |options: &[&str]| {
        let mut command = Command::new(&binary);
        command.args(["replay", "a.pcap", "--config", "web.toml"]).args(options).current_dir(desk.path("."));
        command.uid(NOBODY).gid(NOBODY).output().unwrap()
    };
    let output = run(&["--without-kernel"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains("Operation not permitted") && error.contains("--without-kernel"), "{error}");
}
