//! modlb at the gateway, by its command line.

use std::{
    fmt::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    family::{Family, PORT, SERVERS, endpoint, mac, server_host},
    namespace,
};
use crate::process::capture;

/// The gateway's name.
pub const GATEWAY: &str = "gw";

/// Where modlb pins the demonstration's instance.
pub const PINS: &str = "/sys/fs/bpf/modlb/demo";

const INSTANCE: &str = "demo";

/// No command takes this many seconds.
const LIMIT: &str = "20";

/// A source port for `explain`; the 3-tuple ignores it.
const SOURCE_PORT: u16 = 40_000;

/// The command.
pub struct Gateway {
    modlb: PathBuf,
}

impl Gateway {
    /// This `modlb`, at the gateway.
    pub fn new(modlb: &Path) -> Self {
        Self { modlb: modlb.to_owned() }
    }

    /// Runs modlb and returns what it prints.
    pub fn modlb(&self, arguments: &[&str]) -> Result<String> {
        self.modlb_in(GATEWAY, arguments)
    }

    /// The same with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.modlb(arguments)?)?)
    }

    /// Runs modlb in another namespace.
    pub fn modlb_in(&self, host: &str, arguments: &[&str]) -> Result<String> {
        let mut modlb = self.command();
        capture(modlb.args(["--netns", &namespace::name(host)]).args(arguments))
    }

    /// The output of `modlb explain` for a client's request.
    pub fn explain(&self, client: IpAddr) -> Result<Explained> {
        let family = Family::of(client);
        let (source, service) = (endpoint(client, SOURCE_PORT), endpoint(family.service_address(), PORT));
        let explained = self.json(&["explain", &source, &service, "--json"])?;
        let server = explained["server"].as_str().with_context(|| format!("explain names no server: {explained}"))?;
        let address: IpAddr = server.parse()?;
        let server = (0..SERVERS.len()).find(|number| family.server(*number) == address);
        let sum = explained["sum"].as_str().with_context(|| format!("explain names no sum: {explained}"))?;
        Ok(Explained { sum: sum.to_owned(), server: server.context("explain names an unknown server")? })
    }

    /// Detaches, and removes what a killed command may have left.
    pub fn clean_up(&self) {
        if Path::new(PINS).exists() {
            let _ = capture(self.command().arg("detach"));
            let _ = std::fs::remove_dir_all(PINS);
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after", "2", LIMIT]).arg(&self.modlb).args(["--instance", INSTANCE]);
        command
    }
}

/// The output of `modlb explain`.
pub struct Explained {
    /// The sum, decimal.
    pub sum: String,
    /// The server's number.
    pub server: usize,
}

/// The configuration. It gives the first server's MAC; modlb finds the others'.
pub fn configuration() -> String {
    let mut text = String::from("interfaces = [\"eth0\"]\n");
    for family in Family::BOTH {
        let (name, address) = (family.service(), family.service_address());
        let service = format!("name = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = {PORT}\n");
        let _ = write!(text, "\n[[service]]\n{service}");
        for number in 0..SERVERS.len() {
            let _ = write!(text, "\n[[service.server]]\naddress = \"{}\"\n", family.server(number));
            if number == 0 {
                let _ = writeln!(text, "mac = \"{}\"", mac(server_host(number)));
            }
        }
    }
    text
}
