//! Where and when figures were measured; they mean nothing without it.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::command::capture;

/// The machine's properties that figures depend on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// The CPU's model.
    pub cpu: String,
    /// How many CPUs there are.
    pub cpus: usize,
    /// The kernel's mitigation of each vulnerability of the CPU, if it has one.
    pub mitigations: BTreeMap<String, String>,
    /// When the run began, in UTC.
    pub date: String,
    /// The commit, with `-dirty` if files differed from it.
    pub commit: String,
}

const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

impl Machine {
    /// This machine, now.
    pub fn here() -> Result<Self> {
        Ok(Self {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            cpu: cpu(&fs::read_to_string("/proc/cpuinfo")?),
            cpus: std::thread::available_parallelism()?.get(),
            mitigations: mitigations(),
            date: capture(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))?.trim().to_owned(),
            commit: commit(),
        })
    }
}

fn cpu(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    // Virtual machines often hide the model, but not these.
    let number = |name| field(name).map_or_else(String::new, |number| format!(", {name} {number}"));
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{model}{}{}", number("cpu family"), number("model"))
}

fn mitigations() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(VULNERABILITIES) else { return BTreeMap::new() };
    let state = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).ok()?.trim().to_owned();
        (text != "Not affected").then(|| (entry.file_name().to_string_lossy().into_owned(), text))
    };
    entries.filter_map(|entry| state(entry.ok()?)).collect()
}

/// Unknown without a repository, as in an unpacked archive.
fn commit() -> String {
    // Under sudo another user owns the repository, which git does not trust.
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "describe", "--always", "--dirty", "--exclude=*"]);
    capture(&mut git).map_or_else(|_| "unknown".to_owned(), |commit| commit.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_and_the_model_name_are_not_confused() {
        let text = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu(text), "AMD EPYC, cpu family 25, model 1");
    }
}
