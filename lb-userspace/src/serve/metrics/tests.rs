use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use super::*;
use crate::{
    config::model::State::{Down, Up},
    net::sockets::TcpState,
    observe::{
        agent_view::CheckView,
        testing::{address, reading},
    },
    output::{Activity, FileState, NotInForce, StatesView, Traffic},
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
    let mut metrics = Metrics::new(max_servers);
    let mut states = StatesView::default();
    states.add(TcpState::CloseWait);
    metrics.set_connections(Arc::new([("web".to_owned(), states)]));
    metrics.encode("default", reading, view(), Duration::from_millis(3), Format::Classic)
}

fn full() -> String {
    let mut reading = reading(Instant::now(), 0, SERVICES);
    reading.stats.services[0].taken_last = Some(Traffic { packets: 6, bytes: 360 });
    encode(10, Ok(reading))
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
        ("modlb_connections{service=\"web\",state=\"close_wait\"}", 1.0),
        ("modlb_connections{service=\"web\",state=\"established\"}", 0.0),
        ("modlb_service_taken_last_packets_total{service=\"web\"}", 6.0),
        ("modlb_in_use{resource=\"servers\"}", 3.0),
        ("modlb_omitted{of=\"servers\"}", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    let other = "modlb_server_state{service=\"web\",server=\"10.0.0.12\",state=\"up\"}";
    assert_eq!(value(&text, other), None, "a server is in one state");
}

/// Prometheus computes quantiles only of histograms whose last bucket is `+Inf`.
#[test]
fn every_attempt_is_in_the_last_bucket_of_lateness() {
    let mut view = view();
    for milliseconds in [0, 5, 6, 90_000] {
        view.lateness.add(Duration::from_millis(milliseconds));
    }
    let reading = Ok(reading(Instant::now(), 0, SERVICES));
    let text = Metrics::new(10).encode("default", reading, view, Duration::ZERO, Format::Classic);
    let bucket = |bound| value(&text, &format!("modlb_check_lateness_seconds_bucket{{le=\"{bound}\"}}"));
    let found = ["0.005", "0.02", "60.0", "+Inf"].map(bucket);
    assert_eq!(found, [2.0, 3.0, 3.0, 4.0].map(Some), "{text}");
    assert_eq!(value(&text, "modlb_check_lateness_seconds_count"), Some(4.0));
}

/// A file that is not in force counts under one reason, and there are no other reasons.
#[test]
fn a_file_that_is_not_in_force_is_counted_by_its_reason() {
    let found = |state| {
        let not_in_force = NotInForce { state, reason: "a reason".into(), since: 1 };
        let view = View { not_in_force: Some(not_in_force), missing: 2, ..view() };
        let reading = Ok(reading(Instant::now(), 0, SERVICES));
        let text = Metrics::new(10).encode("default", reading, view, Duration::ZERO, Format::Classic);
        let of = |reason| value(&text, &format!("modlb_agent_file_not_in_force{{reason=\"{reason}\"}}")).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("modlb_agent_file_not_in_force{")).count(), 2);
        assert_eq!(value(&text, "modlb_agent_missing_interfaces"), Some(2.0));
        (of("refused"), of("waiting"), value(&text, "modlb_agent_configuration_refused").unwrap())
    };
    assert_eq!(found(FileState::Refused), (1.0, 0.0, 1.0));
    assert_eq!(found(FileState::Waiting), (0.0, 1.0, 0.0));
    assert_eq!(value(&full(), "modlb_agent_file_not_in_force{reason=\"refused\"}"), Some(0.0));
}

#[test]
fn too_many_servers_are_only_counted() {
    let text = encode(2, Ok(reading(Instant::now(), 0, SERVICES)));
    assert_eq!(value(&text, "modlb_omitted{of=\"servers\"}"), Some(3.0));
    assert!(!text.contains("modlb_server_"), "{text}");
    for family in ["passing", "attempts", "failures", "duration"] {
        assert!(!text.contains(&format!("modlb_check_{family}")), "{text}");
    }
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
