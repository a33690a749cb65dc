//! nftables rules, and their counters.

use std::process::Stdio;

use serde_json::Value;

use super::namespace::Namespace;

/// Loads rules.
pub fn load(namespace: &Namespace, rules: &str) {
    use std::io::Write as _;
    let mut nft = namespace.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// The packets of a named counter.
pub fn packets(namespace: &Namespace, counter: &str) -> u64 {
    let json: Value = serde_json::from_str(&namespace.run("nft", "-j list counters")).unwrap();
    let counters = json["nftables"].as_array().unwrap().iter().map(|object| &object["counter"]);
    let found = counters.filter(|found| found["name"] == counter).map(|found| found["packets"].as_u64().unwrap());
    found.reduce(|a, b| a + b).unwrap_or_else(|| panic!("no counter {counter}"))
}
