//! `modlb check`.

use crate::{fails, file, modlb, modlb_with, ok, stderr, stdout};

const GOOD: &str =
    "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n[[service.server]]\naddress = \"10.0.0.1\"\n";
const BAD: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nport = 1\n[[service.server]]\naddress = \"10.0.0.1\"\nweight = 0\n";

#[test]
fn valid_configurations_pass() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, GOOD).display().to_string();
    assert_eq!(ok(&["check", &path]), format!("{path}: good: 1 service, 1 server\n"));
    assert_eq!(
        ok(&["check", &path, "--json"]),
        "{\"ok\":true,\"digest\":\"d61e7aad18548ff4\",\"services\":1,\"servers\":1,\"errors\":[]}\n"
    );
    let output = modlb_with(&["check", "-"], GOOD);
    assert_eq!((output.status.success(), stdout(&output).as_str()), (true, "-: good: 1 service, 1 server\n"));
}

#[test]
fn all_errors_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, BAD).display().to_string();
    let problems = [
        "service web: port 1 needs a protocol, such as protocol = \"tcp\"",
        "service web: server 10.0.0.1: weight 0 is not from 1 to 65536",
    ];
    assert_eq!(fails(&["check", &path], 1), format!("error: {}\n", problems.join("\n")));
    let output = modlb(&["check", &path, "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &verdict["ok"]), (Some(1), &false.into()));
    assert_eq!(verdict["errors"], serde_json::json!(problems));
    assert_eq!(stderr(&output), format!("error: {path}: 2 errors\n"));
    let error = fails(&["check", "/does/not/exist"], 1);
    assert!(error.starts_with("error: /does/not/exist: No such file"), "{error}");
}
