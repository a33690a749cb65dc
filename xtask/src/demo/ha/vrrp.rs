//! keepalived on a balancer, with the repository's configuration.
//!
//! Trap: it keeps files in /run and /etc/keepalived in every network namespace. So each balancer has its own copy of
//! both directories; they share the BPF file system.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};

use super::super::{
    family::Family,
    namespace::{self, within},
    place::DIRECTORY,
};
use crate::process::{find, root};

/// The number of the address that moves.
pub const GATEWAY_HOST: u8 = 254;

/// keepalived in a host's namespace, where nothing else runs; dropped, all of its processes are killed (`kill -9`).
pub struct Keepalived {
    host: &'static str,
    child: Child,
}

impl Keepalived {
    /// Starts it with a script that runs this modlb for this instance.
    pub fn start(modlb: &Path, host: &'static str, instance: &str) -> Result<Self> {
        let scripts = root().join("scripts/keepalived");
        let file = Path::new(DIRECTORY).join(format!("{host}-keepalived.conf"));
        let text = fs::read_to_string(scripts.join("plain.conf"))?;
        let [four, six] = Family::BOTH.map(|family| family.host(GATEWAY_HOST).to_string());
        fs::write(&file, text.replace("10.0.0.254", &four).replace("fd00::254", &six))?;
        let install = format!(
            "set -e; mount -t tmpfs tmpfs /etc/keepalived; cp {}/modlb-notify.sh /etc/keepalived/; \
             cp \"$CONFIGURATION\" /etc/keepalived/keepalived.conf; mount -t tmpfs tmpfs /run; \
             exec {} --dont-fork --log-console --config-id {host}",
            scripts.display(),
            find("keepalived").context("keepalived is missing")?.display()
        );
        let output = fs::File::create(log_file(host))?;
        let mut keepalived = within(host, "setpriv");
        keepalived.args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", &install]);
        keepalived.env("CONFIGURATION", file).env("MODLB", modlb).env("MODLB_INSTANCE", instance);
        keepalived.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { host, child: keepalived.spawn().context("cannot start keepalived")? })
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        namespace::kill_all(self.host);
        let _ = self.child.wait();
    }
}

/// Its log.
pub fn log(host: &str) -> String {
    fs::read_to_string(log_file(host)).unwrap_or_default()
}

fn log_file(host: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{host}-keepalived.log"))
}
