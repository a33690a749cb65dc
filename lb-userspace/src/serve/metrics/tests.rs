use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use super::*;
use crate::{
    config::model::State::{Down, Up},
    observe::{
        agent_view::CheckView,
        testing::{address, reading},
    },
    output::Activity,
};

const SERVICES: &[crate::observe::testing::ServiceSpec<'_>] =
    &[("web", &[(Up, 1, 7), (Down, 2, 3)]), ("odd\"name\\", &[(Up, 1, 5)])];

fn view() -> View {
    let check = CheckView {
        kind: "tcp",
        passing: false,
        since: SystemTime::now(),
        took: Duration::from_millis(250),
        attempts: 9,
        failures: 4,
        error: Some("refused".into()),
    };
    let mut view =
        View { started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)), reloads: 2, ..View::default() };
    view.checks.insert(("web".into(), address(1)), check);
    view
}

fn encode(max_servers: usize, reading: anyhow::Result<Reading>) -> String {
    let took = Duration::from_millis(3);
    Metrics::new(max_servers).encode("default", reading, view(), took, Format::Classic)
}

fn full() -> String {
    encode(10, Ok(reading(Instant::now(), 0, SERVICES)))
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn all_metrics_are_exported() {
    let text = full();
    for (series, expected) in [
        ("modlb_up", 1.0),
        ("modlb_active", 1.0),
        ("modlb_agent_start_time_seconds", 1_000.0),
        ("modlb_agent_reloads_total", 2.0),
        ("modlb_outcome_packets_total{outcome=\"forwarded\"}", 15.0),
        ("modlb_outcome_bytes_total{outcome=\"forwarded\"}", 1_500.0),
        ("modlb_service_packets_total{service=\"web\"}", 10.0),
        ("modlb_service_packets_total{service=\"odd\\\"name\\\\\"}", 5.0),
        ("modlb_service_servers{service=\"web\",state=\"down\"}", 1.0),
        ("modlb_service_servers{service=\"web\",state=\"up\"}", 1.0),
        ("modlb_server_packets_total{service=\"web\",server=\"10.0.0.12\"}", 3.0),
        ("modlb_server_bytes_total{service=\"web\",server=\"10.0.0.12\"}", 300.0),
        ("modlb_server_state{service=\"web\",server=\"10.0.0.12\",state=\"down\"}", 1.0),
        ("modlb_server_weight{service=\"web\",server=\"10.0.0.12\"}", 2.0),
        ("modlb_check_passing{service=\"web\",server=\"10.0.0.12\",kind=\"tcp\"}", 0.0),
        ("modlb_check_failures_total{service=\"web\",server=\"10.0.0.12\"}", 4.0),
        ("modlb_check_duration_seconds{service=\"web\",server=\"10.0.0.12\"}", 0.25),
        ("modlb_in_use{resource=\"servers\"}", 3.0),
        ("modlb_omitted{of=\"servers\"}", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    let other = "modlb_server_state{service=\"web\",server=\"10.0.0.12\",state=\"up\"}";
    assert_eq!(value(&text, other), None, "a server is in one state");
}

#[test]
fn too_many_servers_are_only_counted() {
    let text = encode(2, Ok(reading(Instant::now(), 0, SERVICES)));
    assert_eq!(value(&text, "modlb_omitted{of=\"servers\"}"), Some(3.0));
    assert!(!text.contains("modlb_server_") && !text.contains("modlb_check_"), "{text}");
    assert_eq!(value(&text, "modlb_service_packets_total{service=\"web\"}"), Some(10.0));
    let text = encode(1, Ok(reading(Instant::now(), 0, SERVICES)));
    assert_eq!(value(&text, "modlb_omitted{of=\"services\"}"), Some(2.0));
    assert!(!text.contains("modlb_service_"), "{text}");
}

#[test]
fn metrics_without_an_instance_and_on_standby() {
    let text = encode(10, Err(anyhow::anyhow!("no instance")));
    assert_eq!((value(&text, "modlb_up"), value(&text, "modlb_agent_up")), (Some(0.0), Some(1.0)));
    assert!(!text.contains("modlb_outcome"), "{text}");
    let mut standby = reading(Instant::now(), 0, SERVICES);
    standby.status.state = Activity::Standby;
    assert_eq!(value(&encode(10, Ok(standby)), "modlb_active"), Some(0.0));
}

#[test]
fn a_small_decrease_is_smoothed_and_a_reset_is_not() {
    let of = |packets| OutcomesView::new(|_| Traffic { packets, bytes: packets });
    assert_eq!(steady(of(1_000), of(998)), of(1_000));
    assert_eq!(steady(of(1_000), of(1_001)), of(1_001));
    assert_eq!(steady(of(1_000), of(3)), of(3));
}

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !word(letter)).filter(|text| text.starts_with("modlb_"));
    words.map(str::to_owned).collect()
}

fn file(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names that are in a scrape.
fn scraped() -> BTreeSet<String> {
    let text = full();
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn alerts_and_the_dashboard_use_existing_metrics() {
    let scraped = scraped();
    for path in ["scripts/prometheus/alerts.yml", "scripts/prometheus/alerts-test.yml", "scripts/grafana/modlb.json"] {
        let asked = names(&file(path));
        assert!(asked.len() > 5, "{path}: {asked:?}");
        assert_eq!(asked.difference(&scraped).collect::<Vec<_>>(), Vec::<&String>::new(), "{path}");
    }
    serde_json::from_str::<serde_json::Value>(&file("scripts/grafana/modlb.json")).unwrap();
}

#[test]
fn the_document_lists_exactly_the_existing_metrics() {
    let text = file("docs/OBSERVABILITY.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `modlb_")?.split('`').next());
    let listed: BTreeSet<_> = rows.map(|name| format!("modlb_{}", name.split('{').next().unwrap())).collect();
    assert_eq!(listed, scraped());
}
