//! `modlb stats --watch`.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{need_root, send, services, support::bench::Bench};

/// How long a line may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A watcher must not go on reading the maps of an instance that is gone.
#[test]
fn a_watch_follows_an_instance_that_ends_and_returns() {
    need_root!();
    let mut bench = Bench::new(&services());
    let mut child = bench.modlb.command("stats --watch 0.1 --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut packets = || -> u64 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["outcomes"]["forwarded"]["packets"].as_u64().unwrap()
    };
    packets();
    bench.modlb.ok("detach");
    bench.modlb.attach("eth0 --mode generic", &services());
    bench.follow();
    send(&bench, 3);
    let start = Instant::now();
    while packets() == 0 {
        assert!(start.elapsed() < PATIENCE, "the packets of the new instance are not shown");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
