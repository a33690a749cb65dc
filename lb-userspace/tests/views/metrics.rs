//! `/metrics` by itself: the figures are those of `modlb stats`, in both formats, and through an instance's end.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{listener::Listener, need_root, send, services, support::bench::Bench};

/// Every counter that `modlb stats` prints, as the series of `/metrics` that contains it.
pub fn expected(stats: &Value) -> BTreeMap<String, u64> {
    let mut expected = BTreeMap::new();
    let mut add = |what: &str, labels: String, value: &Value| {
        for unit in ["packets", "bytes"] {
            let number = value[unit].as_u64().unwrap();
            expected.insert(format!("modlb_{what}_{unit}_total{{{labels}}}"), number);
        }
    };
    for (outcome, value) in stats["outcomes"].as_object().unwrap() {
        add("outcome", format!("outcome=\"{outcome}\""), value);
    }
    for service in stats["services"].as_array().unwrap() {
        let name = service["name"].as_str().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
        add("service", format!("service=\"{name}\""), service);
        for server in service["servers"].as_array().unwrap() {
            add("server", format!("service=\"{name}\",server={}", server["address"]), server);
        }
    }
    expected
}

/// Series and values.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, value)| (name, value.parse().unwrap())).collect()
}

fn assert_figures(bench: &Bench, text: &str) {
    let found = series(text);
    let expected = expected(&bench.modlb.json("stats"));
    assert!(expected.len() > 40, "{expected:?}");
    for (name, value) in expected {
        assert_eq!(found.get(&*name), Some(&(value as f64)), "{name}\n{text}");
    }
}

#[test]
fn figures_are_those_of_stats() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    send(&bench, 30);
    let classic = listener.ask("", "/metrics");
    assert!(classic.headers.contains("content-type: text/plain; version=0.0.4"), "{}", classic.headers);
    assert_figures(&bench, &classic.body);
    assert!(classic.body.contains("modlb_outcome_packets_total{outcome=\"forwarded\"} 60\n"), "{}", classic.body);
    send(&bench, 3);
    let open = listener.ask("--header Accept:application/openmetrics-text", "/metrics");
    assert!(open.headers.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.headers);
    assert!(open.body.ends_with("# EOF\n"));
    assert_figures(&bench, &open.body);
    listener.end(Signal::SIGTERM);
}

#[test]
fn promtool_accepts_the_metrics() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    let mut promtool = Command::new("promtool");
    let pipes = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("promtool is missing; `cargo xtask setup` installs it");
    child.stdin.take().unwrap().write_all(listener.get("/metrics").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    listener.end(Signal::SIGINT);
}

#[test]
fn states_and_settings_are_exported() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "--max-servers-in-metrics 5");
    let status = bench.modlb.json("status");
    let text = listener.get("/metrics");
    let found = series(&text);
    for (name, value) in [
        ("modlb_up", 1.0),
        ("modlb_active", 1.0),
        ("modlb_agent_up", 0.0),
        (&format!("modlb_digest_info{{digest={}}}", status["digest"]), 1.0),
        ("modlb_interface_info{interface=\"eth0\",mode=\"generic\",link=\"bpf_link\",multi_buffer=\"false\"}", 1.0),
        ("modlb_capacity{resource=\"servers\"}", 1_024.0),
        ("modlb_in_use{resource=\"servers\"}", 6.0),
        ("modlb_service_servers{service=\"web\",state=\"up\"}", 2.0),
        ("modlb_service_servers{service=\"web\",state=\"down\"}", 1.0),
        ("modlb_omitted{of=\"servers\"}", 6.0),
        ("modlb_omitted{of=\"services\"}", 0.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}\n{text}");
    }
    assert!(!text.contains("modlb_server_"), "{text}");
    let publications = found["modlb_publications_total"];
    bench.modlb.ok("standby");
    bench.modlb.ok("server up web 10.0.0.13");
    let text = listener.get("/metrics");
    let found = series(&text);
    assert_eq!(
        [
            found["modlb_active"],
            found["modlb_publications_total"],
            found["modlb_service_servers{service=\"web\",state=\"up\"}"]
        ],
        [0.0, publications + 1.0, 3.0]
    );
}

#[test]
fn metrics_survive_the_end_of_an_instance() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    send(&bench, 9);
    assert!(listener.get("/metrics").contains("modlb_outcome_packets_total{outcome=\"forwarded\"} 18\n"));
    bench.modlb.ok("detach");
    let gone = listener.get("/metrics");
    assert!(gone.contains("\nmodlb_up 0.0\n") && !gone.contains("modlb_outcome"), "{gone}");
    assert!(!bench.modlb.pins().exists(), "a reader keeps nothing of it");
    bench.modlb.attach("eth0 --mode generic", &services());
    let text = listener.get("/metrics");
    assert!(
        text.contains("\nmodlb_up 1.0\n") && text.contains("modlb_outcome_packets_total{outcome=\"forwarded\"} 0\n"),
        "{text}"
    );
}
