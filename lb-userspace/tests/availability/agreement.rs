//! Digests show whether two balancers agree, and `status --expect-digest` reports it to monitoring.

use crate::{
    need_root,
    site::{Site, configuration},
};

#[test]
fn digests_show_whether_balancers_agree() {
    need_root!();
    let site = Site::new();
    site.attach("");
    let [first, second] = &site.balancers;
    let digest = first.digest();
    second.modlb.ok(&format!("status --expect-digest {digest}"));
    second.modlb.ok(&format!("status --json --expect-digest {}", digest.to_uppercase()));
    // The file has the same digest before it is in force.
    let file = first.modlb.file("check.toml", &configuration());
    assert_eq!(first.modlb.json(&format!("check {}", file.display()))["digest"], digest.as_str());

    // The state and a server's MAC do not matter.
    second.modlb.ok("standby");
    second.namespace.ip("neigh replace 10.0.0.11 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
    assert!(second.modlb.apply(&configuration()).contains("02:00:00:00:00:77"));
    second.modlb.ok(&format!("status --expect-digest {digest}"));

    first.modlb.ok("server down web4 10.0.0.12");
    let other = first.digest();
    let output = first.modlb.output(&format!("status --json --expect-digest {digest}"));
    assert_eq!(output.status.code(), Some(1));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the status is printed nevertheless");
    assert_eq!(status["digest"], other.as_str());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with(&format!("error: the digest is {other}, not {digest}: ")), "{error}");

    second.modlb.ok("server down web4 10.0.0.12");
    second.modlb.ok(&format!("status --expect-digest {other}"));
    // Only the configuration counts, not its history.
    first.modlb.ok("server up web4 10.0.0.12");
    first.modlb.ok(&format!("status --expect-digest {digest}"));
}
