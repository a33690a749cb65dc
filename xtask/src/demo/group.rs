//! Hosts that each run modlb. On drop they are removed with everything that they run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    namespace::{self, within},
    place::{self, Claim, DIRECTORY},
    web::WebServer,
};
use crate::process::capture;

/// No command takes this many seconds.
const LIMIT: &str = "20";

/// The hosts of a story.
pub struct Group {
    modlb: PathBuf,
    hosts: Vec<&'static str>,
    /// Web servers, which end first.
    pub servers: Vec<WebServer>,
    _claim: Claim,
}

impl Group {
    /// Claims these hosts, and removes what an earlier demonstration left of them.
    pub fn claim(modlb: &Path, hosts: &[&'static str]) -> Result<Self> {
        let claim = Claim::take()?;
        let mut group = Self { modlb: modlb.to_owned(), hosts: hosts.to_vec(), servers: Vec::new(), _claim: claim };
        group.remove();
        fs::create_dir_all(DIRECTORY)?;
        Ok(group)
    }

    /// The name of a host's instance.
    pub fn instance(&self, host: &str) -> String {
        instance(host)
    }

    /// Runs modlb on a host and returns what it prints.
    pub fn modlb(&self, host: &str, arguments: &str) -> Result<String> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after", "2", LIMIT]).arg(&self.modlb);
        command.args(["--netns", &namespace::name(host), "--instance", &instance(host)]);
        capture(command.args(arguments.split_whitespace()))
    }

    /// The same with `--json`.
    pub fn json(&self, host: &str, arguments: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.modlb(host, &format!("{arguments} --json"))?)?)
    }

    /// Attaches on a host with a configuration, and prints modlb's output.
    pub fn attach(&self, host: &str, arguments: &str, configuration: &str) -> Result<()> {
        let file = Path::new(DIRECTORY).join(format!("{host}.toml"));
        fs::write(&file, configuration)?;
        let said = self.modlb(host, &format!("attach {arguments} --config {}", file.display()))?;
        for line in said.lines().filter(|line| line.starts_with("attached") || line.contains("receives")) {
            println!("  {host}: {line}");
        }
        Ok(())
    }

    /// Detaches everywhere, and checks that nothing is left.
    pub fn detach(&self) -> Result<()> {
        for host in &self.hosts {
            if pins(host).exists() {
                self.modlb(host, "detach")?;
            }
            ensure!(!pins(host).exists(), "detach left something behind on {host}");
        }
        Ok(())
    }

    fn remove(&mut self) {
        self.servers.clear();
        for host in &self.hosts {
            if pins(host).exists() {
                let _ = self.modlb(host, "detach");
                let _ = fs::remove_dir_all(pins(host));
            }
        }
        place::remove(&self.hosts);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The packets of one outcome.
pub fn outcome(stats: &Value, name: &str) -> u64 {
    stats["outcomes"][name]["packets"].as_u64().unwrap_or_default()
}

/// Loads rules into nftables.
pub fn nft(host: &str, rules: &str) -> Result<()> {
    let file = Path::new(DIRECTORY).join(format!("{host}.nft"));
    fs::write(&file, rules)?;
    capture(within(host, "nft").arg("-f").arg(file)).map(drop)
}

/// The packets of a named counter in nftables.
pub fn nft_packets(host: &str, counter: &str) -> Result<u64> {
    let json: Value = serde_json::from_str(&capture(within(host, "nft").args(["-j", "list", "counters"]))?)?;
    let objects = json["nftables"].as_array().context("nft lists no counters")?;
    let found = objects.iter().map(|object| &object["counter"]).find(|found| found["name"] == counter);
    found.and_then(|found| found["packets"].as_u64()).with_context(|| format!("nft has no counter {counter}"))
}

/// Writes a kernel setting of a host.
pub fn setting(host: &str, name: &str, value: &str) -> Result<()> {
    let mut sh = within(host, "sh");
    sh.args(["-c", &format!("echo {value} >/proc/sys/net/{name}")]).stdin(Stdio::null());
    capture(&mut sh).map(drop)
}

fn instance(host: &str) -> String {
    format!("demo-{host}")
}

fn pins(host: &str) -> PathBuf {
    Path::new("/sys/fs/bpf/modlb").join(instance(host))
}
