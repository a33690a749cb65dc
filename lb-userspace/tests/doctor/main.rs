//! `modlb doctor` on networks with one fault each: it names the fault, its command fixes it, and without faults it is
//! silent.

#[path = "../support/mod.rs"]
mod support;

mod balancer;
mod hosts;
mod odd_names;
mod server;

use std::{
    env,
    process::{Command, Output},
};

use serde_json::Value;
use support::modlb::Modlb;

/// One line of what the doctor found.
#[derive(Clone, Debug)]
struct Finding {
    check: String,
    subject: String,
    level: String,
    seen: String,
    cure: Option<String>,
    command: Option<String>,
}

/// What the doctor finds, and its exit status.
fn examine(modlb: &Modlb, arguments: &str) -> (Vec<Finding>, i32) {
    let Output { status, stdout, stderr } = modlb.output(&format!("doctor {arguments} --json"));
    let json: Value = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {:?} {}", stdout, String::from_utf8_lossy(&stderr)));
    let finding = |value: &Value| {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Finding {
            check: text("check").unwrap(),
            subject: text("subject").unwrap(),
            level: text("level").unwrap(),
            seen: text("seen").unwrap(),
            cure: text("cure"),
            command: text("command"),
        }
    };
    (json.as_array().unwrap().iter().map(finding).collect(), status.code().unwrap())
}

/// The findings above level `ok`.
fn complaints(modlb: &Modlb, arguments: &str) -> Vec<Finding> {
    let (findings, status) = examine(modlb, arguments);
    let bad: Vec<_> = findings.into_iter().filter(|finding| finding.level != "ok").collect();
    let worst = if bad.iter().any(|finding| finding.level == "failure") { 1 } else { 3 };
    assert_eq!(status, if bad.is_empty() { 0 } else { worst }, "{bad:#?}");
    assert!(bad.iter().all(|finding| finding.cure.is_some()), "{bad:#?}");
    bad
}

/// All is well.
fn silent(modlb: &Modlb, arguments: &str) {
    let bad = complaints(modlb, arguments);
    assert!(bad.is_empty(), "{bad:#?}");
}

/// It complains of just this.
fn names(modlb: &Modlb, arguments: &str, level: &str, check: &str, subject: &str, seen: &str) -> Finding {
    let bad = complaints(modlb, arguments);
    let [found] = &bad[..] else { panic!("not one complaint, but {bad:#?}") };
    assert_eq!(
        (found.level.as_str(), found.check.as_str(), found.subject.as_str()),
        (level, check, subject),
        "{found:#?}"
    );
    assert!(found.seen.contains(seen), "{found:#?}");
    found.clone()
}

/// Runs what a finding says, as it stands.
fn run(finding: &Finding) {
    let command = finding.command.as_ref().unwrap_or_else(|| panic!("nothing to run: {finding:#?}"));
    // `modlb` is the one that is tested.
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_modlb")).parent().unwrap();
    let path = format!("{}:{}", directory.display(), env::var("PATH").unwrap());
    let output = Command::new("sh").args(["-c", command]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// It complains of just this; what it says mends it.
fn names_and_mends(modlb: &Modlb, arguments: &str, level: &str, check: &str, subject: &str, seen: &str) {
    run(&names(modlb, arguments, level, check, subject, seen));
    silent(modlb, arguments);
}
