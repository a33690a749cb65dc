//! A replay leaves no trace: neither in a running instance nor in the BPF file system.

use std::{fs, io::Write as _, os::unix::process::ExitStatusExt as _, process::Stdio, thread, time::Duration};

use crate::{
    Desk, need_root, stderr,
    support::{bench::Bench, capture::File, frame::GATEWAY, modlb::Modlb},
    web, web_frame,
};

/// Everything under the instances' directory that a trial could have made.
fn trials() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/sys/fs/bpf/modlb") else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name.starts_with("trial")).collect()
}

#[test]
fn a_running_instance_is_not_touched() {
    need_root!();
    let bench = Bench::new(&given(&web(&[11, 12])));
    let modlb: &Modlb = &bench.modlb;
    bench.run(&web_frame(1));
    let before = (bench.counters(), modlb.ok("export"), modlb.ok("status"));
    let desk = Desk::new();
    desk.capture("a.pcap", &(0..100).map(web_frame).collect::<Vec<_>>());
    desk.put("web.toml", web(&[11, 12, 13]));
    let output = modlb
        .command("replay a.pcap --config web.toml --down 10.0.0.11 --json")
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["judged_by"]["kernel"]["packets"], 100);
    assert_eq!((bench.counters(), modlb.ok("export"), modlb.ok("status")), before);
    assert_eq!(trials(), [""; 0]);
}

/// The same with MACs, which an instance needs.
fn given(configuration: &str) -> String {
    let servers = configuration.split("[[service.server]]\n");
    servers
        .enumerate()
        .map(|(number, text)| match number {
            0 => text.to_owned(),
            number => format!("[[service.server]]\nmac = \"02:00:00:00:02:{number:02x}\"\n{text}"),
        })
        .collect()
}

/// Killed while the program is loaded and packets are still to come.
#[test]
fn a_killed_replay_leaves_nothing() {
    need_root!();
    let desk = Desk::new();
    desk.put("web.toml", web(&[11, 12, 13]));
    let own: Vec<_> = GATEWAY.iter().map(|byte| format!("{byte:02x}")).collect();
    // Not SIGINT: what starts the tests may have it ignored, and children inherit that.
    for signal in [nix::sys::signal::SIGKILL, nix::sys::signal::SIGTERM] {
        let mut command = desk.command(&format!("- --config web.toml --own-mac {}", own.join(":")));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&File::with(crate::PCAP, &(0..100).map(web_frame).collect::<Vec<_>>())).unwrap();
        // It is loaded once the kernel has a separate file system for it.
        let mounts = format!("/proc/{}/mountinfo", child.id());
        let loaded =
            || fs::read_to_string(&mounts).unwrap().lines().filter(|line| line.contains("/sys/fs/bpf ")).count();
        let usual = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let usual = usual.lines().filter(|line| line.contains("/sys/fs/bpf ")).count();
        for _ in 0..600 {
            if loaded() > usual {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        assert!(loaded() > usual, "it never came to that");
        thread::sleep(Duration::from_millis(200));
        assert_eq!(trials(), [""; 0], "while it runs");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal as i32));
        assert_eq!(trials(), [""; 0], "after {signal}");
    }
}
