//! A real Prometheus scrapes the listener, and answers with the figures of `modlb stats`.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    listener::Listener,
    metrics::expected,
    need_root, send, services,
    support::{bench::Bench, namespace::run},
};

const PORT: u16 = 9_090;

/// How long it may take to start and to scrape.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prometheus in the gateway's namespace.
struct Prometheus<'a> {
    bench: &'a Bench,
    child: Child,
    _files: tempfile::TempDir,
}

impl<'a> Prometheus<'a> {
    fn new(bench: &'a Bench, target: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("prometheus.yml");
        let rules = script("prometheus/alerts.yml");
        let text = format!(
            "global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}\nrule_files: ['{}']\n\
             scrape_configs: [{{job_name: modlb, static_configs: [{{targets: ['{target}']}}]}}]\n",
            rules.display()
        );
        std::fs::write(&file, text).unwrap();
        let mut command = bench.gateway.command("prometheus");
        command.args([
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", files.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{PORT}"),
        ]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { bench, child: child.unwrap(), _files: files }
    }

    /// Asks its HTTP API; `None`: it does not answer yet.
    fn ask(&self, path: &str, query: &str) -> Option<Value> {
        let mut curl = self.bench.gateway.command("curl");
        curl.args(["--silent", "--get", "--data-urlencode", query, &format!("http://127.0.0.1:{PORT}/api/v1/{path}")]);
        serde_json::from_slice(&curl.output().unwrap().stdout).ok()
    }

    /// The result of a query.
    fn query(&self, expression: &str) -> Option<Vec<Value>> {
        let answer = self.ask("query", &format!("query={expression}"))?;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        Some(answer["data"]["result"].as_array().unwrap().clone())
    }

    /// The value of a series.
    fn value(&self, series: &str) -> Option<f64> {
        self.query(series)?.first()?["value"][1].as_str()?.parse().ok()
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(path).canonicalize().unwrap()
}

#[test]
fn a_real_prometheus_has_the_figures_of_stats() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    let prometheus = Prometheus::new(&bench, listener.address());
    prometheus.wait("a first scrape", || prometheus.value("modlb_up") == Some(1.0));
    send(&bench, 40);
    let expected = expected(&bench.modlb.json("stats"));
    let forwarded = "modlb_outcome_packets_total{outcome=\"forwarded\"}";
    prometheus.wait("the figures", || prometheus.value(forwarded) == Some(80.0));
    // One scrape contains everything.
    for (series, value) in &expected {
        assert_eq!(prometheus.value(series), Some(*value as f64), "{series}");
    }
    dashboard_can_be_asked(&prometheus);
    let rules = prometheus.ask("rules", "type=alert").unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["lastError"].is_null()), "{rules:#?}");

    bench.modlb.ok("detach");
    prometheus.wait("the end", || prometheus.value("modlb_up") == Some(0.0));
    let pending = |alert: &str| prometheus.value(&format!("ALERTS{{alertname=\"{alert}\"}}")).is_some();
    prometheus.wait("the alert", || pending("ModlbDown"));
}

/// Every expression of the dashboard is one that Prometheus understands.
fn dashboard_can_be_asked(prometheus: &Prometheus<'_>) {
    let text = std::fs::read_to_string(script("grafana/modlb.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = 0;
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
        let expression =
            ["$job", "$instance", "$service"].iter().fold(expression, |text, name| text.replace(name, ".*"));
        assert!(!expression.contains('$'), "{expression}");
        prometheus.query(&expression).unwrap();
        asked += 1;
    }
    assert!(asked > 15, "{asked}");
}

#[test]
fn the_alert_rules_pass_their_tests() {
    need_root!();
    let rules = script("prometheus/alerts.yml");
    run(Command::new("promtool").args(["check", "rules"]).arg(&rules));
    let directory = rules.parent().unwrap();
    run(Command::new("promtool").current_dir(directory).args(["test", "rules", "alerts-test.yml"]));
}
