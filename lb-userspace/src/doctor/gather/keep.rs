//! Facts about a server that keeps connections.

use std::{io, process::Command};

use anyhow::Result;

use super::server_side;
use crate::{
    config::model::Config,
    doctor::{checks::services, facts::KeepSide},
    net::{Net, sockets::listeners},
};

/// What prints rules of address translation, from either interface to the kernel.
const PRINTERS: [(&str, &[&str]); 3] = [
    ("nft", &["--stateless", "list", "ruleset"]),
    ("iptables-legacy-save", &["-t", "nat"]),
    ("ip6tables-legacy-save", &["-t", "nat"]),
];

/// Reads them.
pub async fn read(net: &Net, config: &Config) -> Result<KeepSide> {
    let addresses = services::addresses(&config.services);
    Ok(KeepSide { server: server_side::read(net, addresses, &[]).await?, listeners: listeners()?, rules: rules() })
}

/// The rules of this network namespace that translate destinations.
fn rules() -> Result<Vec<String>, String> {
    let mut rules = Vec::new();
    for (place, (program, arguments)) in PRINTERS.into_iter().enumerate() {
        let output = match Command::new(program).args(arguments).output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // nftables also shows what iptables-nft makes; the others are of old hosts.
                if place == 0 {
                    return Err("`nft` is not installed, so rules of address translation cannot be read".to_owned());
                }
                continue;
            }
            Err(error) => return Err(format!("{program}: {error}")),
        };
        if !output.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let words = ["dnat", "redirect", "DNAT", "REDIRECT"];
        let translates = |line: &&str| line.split_whitespace().any(|word| words.contains(&word));
        rules.extend(text.lines().filter(translates).map(|line| line.trim().to_owned()));
    }
    Ok(rules)
}
