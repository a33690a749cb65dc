//! `modlb check`.

use crate::{fails, file, modlb, modlb_with, ok, stderr, stdout};

const GOOD: &str =
    "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n[[service.server]]\naddress = \"10.0.0.1\"\n";
const BAD: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nport = 1\n[[service.server]]\naddress = \"10.0.0.1\"\nweight = 0\n";

#[test]
fn valid_configurations_pass() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, GOOD).display().to_string();
    let room = "slots: 1, 0 if 10.0.0.1 goes down in its 1 service; a new instance has room for 262144\n";
    assert_eq!(ok(&["check", &path]), format!("{path}: good: 1 service, 1 server\n{room}"));
    assert_eq!(
        ok(&["check", &path, "--json"]),
        concat!(
            "{\"ok\":true,\"digest\":\"d61e7aad18548ff4\",\"services\":1,\"servers\":1,\"errors\":[],",
            "\"room\":{\"instance\":null,\"slots\":1,",
            "\"worst_failure\":{\"server\":\"10.0.0.1\",\"services\":1,\"slots\":0},\"capacity\":262144},",
            "\"warnings\":[]}\n"
        )
    );
    let output = modlb_with(&["check", "-"], GOOD);
    assert_eq!(
        (output.status.success(), stdout(&output).as_str()),
        (true, &*format!("standard input: good: 1 service, 1 server\n{room}"))
    );
}

#[test]
fn all_errors_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, BAD).display().to_string();
    let problems = [
        (4, 1, "service web: port 1 needs a protocol, such as protocol = \"tcp\""),
        (7, 1, "service web: server 10.0.0.1: weight 0 is not from 1 to 65536"),
    ];
    let lines = |file: &str| {
        let lines: Vec<_> =
            problems.iter().map(|(line, column, text)| format!("{file}:{line}:{column}: {text}")).collect();
        format!("error: {}\n", lines.join("\n"))
    };
    assert_eq!(fails(&["check", &path], 1), lines(&path));
    assert_eq!(stderr(&modlb_with(&["check", "-"], BAD)), lines("standard input"));
    let output = modlb(&["check", &path, "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &verdict["ok"]), (Some(1), &false.into()));
    let objects = problems.map(
        |(line, column, message)| serde_json::json!({"file": path, "line": line, "column": column, "message": message}),
    );
    assert_eq!(verdict["errors"], serde_json::json!(objects));
    assert_eq!(stderr(&output), format!("error: {path}: 2 errors\n"));
    // Every command that reads a configuration says the same, and changes nothing.
    for command in [
        "apply FILE",
        "attach --config FILE",
        "agent --config FILE --listen none",
        "replay /dev/null --config FILE",
        "explain 192.0.2.1 203.0.113.10 --config FILE",
        "doctor --config FILE",
    ] {
        let command = command.replace("FILE", &path);
        let arguments: Vec<_> =
            ["--instance", "no-such-instance"].into_iter().chain(command.split_whitespace()).collect();
        let error = fails(&arguments, 1);
        for (line, column, text) in problems {
            let line = format!("{path}:{line}:{column}: {text}");
            assert_eq!(error.matches(&line).count(), 1, "{command}: {error}");
        }
    }
    let error = fails(&["check", "/does/not/exist"], 1);
    assert!(error.starts_with("error: /does/not/exist: No such file"), "{error}");
}
