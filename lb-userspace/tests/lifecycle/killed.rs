//! Commands that are killed at any moment.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use crate::{
    Gateway, need_root, packet,
    support::{
        bench::{Bench, XDP_TX},
        wait::wait,
    },
    web,
};

const KILLS: u32 = 1_000;

/// As many packets show which configuration is in force.
const CLIENTS: u8 = 12;

/// The numbers of the servers that packets of both services go to.
fn followed(bench: &Bench) -> Vec<u8> {
    let clients = (1..=CLIENTS).map(packet);
    let other = |frame: Vec<u8>| -> Vec<u8> { [&frame[..36], &81_u16.to_be_bytes(), &frame[38..]].concat() };
    let frames = clients.flat_map(|frame| [frame.clone(), other(frame)]);
    frames
        .map(|frame| {
            let (action, sent) = bench.run(&frame);
            assert_eq!(action, XDP_TX, "a packet was not forwarded");
            sent[5]
        })
        .collect()
}

/// Two services with these servers.
fn both(servers: &[u8]) -> String {
    let one = web(servers);
    let other = one.replace("\"web\"", "\"other\"").replace("port = 80", "port = 81");
    one + &other
}

/// After each kill packets follow either the old configuration or the new one, and the next command succeeds.
#[test]
fn a_killed_apply_takes_effect_wholly_or_not_at_all() {
    need_root!();
    let configurations = [both(&[11, 12, 13]), both(&[24, 23, 22, 21])];
    let bench = Bench::new(&configurations[0]);
    let files =
        [0, 1].map(|index| bench.modlb.file(&format!("{index}.toml"), &configurations[index]).display().to_string());
    let states = [0, 1].map(|index| {
        bench.modlb.ok(&format!("apply {}", files[index]));
        followed(&bench)
    });
    assert_ne!(states[0], states[1]);

    let start = Instant::now();
    bench.modlb.ok(&format!("apply {}", files[0]));
    let whole = start.elapsed();
    let mut random = TestRunner::deterministic();
    let delays = 0..(whole.as_micros() as u64 * 5 / 4);
    let mut made = [0_u32; 2];
    for round in 0..KILLS {
        let wanted = round as usize % 2;
        let mut command = bench.modlb.command(&format!("apply {}", files[wanted]));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(delays.new_tree(&mut random).unwrap().current()));
        child.kill().unwrap();
        child.wait().unwrap();

        let now = followed(&bench);
        let state = states.iter().position(|state| *state == now);
        assert!(state.is_some(), "after kill {round}: neither the old nor the new configuration: {now:?}");
        made[usize::from(state == Some(wanted))] += 1;
        if round % 10 == 9 {
            // The other configuration, so that there is something to change.
            let next = 1 - wanted;
            bench.modlb.ok(&format!("apply {}", files[next]));
            assert_eq!(followed(&bench), states[next], "after the command that followed kill {round}");
        }
    }
    assert!(made.iter().all(|count| *count > KILLS / 50), "the kills came all too early or all too late: {made:?}");
}

/// A command that is killed while it makes, replaces or removes an instance.
#[test]
fn attach_works_after_a_killed_attach_or_detach() {
    need_root!();
    let gateway = Gateway::new();
    let file = gateway.modlb.file("web.toml", &web(&[11, 12]));
    let attach = format!("attach eth0 eth1 --mode native --config {}", file.display());
    let start = Instant::now();
    gateway.modlb.ok(&attach);
    let whole = start.elapsed().as_micros() as u64;
    let mut random = TestRunner::deterministic();
    for round in 0..60 {
        let arguments = if round % 3 == 2 { "detach" } else { &attach };
        let mut command = gateway.modlb.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros((0..whole * 5 / 4).new_tree(&mut random).unwrap().current()));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 4 == 3 {
            gateway.modlb.ok(&attach);
            let status = gateway.modlb.json("status");
            assert_eq!(status["interfaces"].as_array().unwrap().len(), 2, "after round {round}");
            assert_eq!(status["services"][0]["n"], 2, "after round {round}");
        }
    }
    gateway.modlb.ok(&attach);
    gateway.modlb.ok("detach");
    assert!(!gateway.modlb.pins().exists());
    // The kernel frees unreferenced links a moment later.
    for interface in ["eth0", "eth1"] {
        let link = || gateway.namespace.run("ip", &format!("link show {interface}"));
        wait(|| !link().contains("xdp"), link);
    }
}
