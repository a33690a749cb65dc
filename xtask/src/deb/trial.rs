//! The package's life: installed, configured, started, upgraded under load, removed, purged.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use super::{install::UNIT, load::Load, machine::Machine, network::Network};
use crate::interrupt;

/// How long a service may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// `CAP_NET_ADMIN`, `CAP_NET_RAW`, `CAP_PERFMON` and `CAP_BPF`, as the kernel numbers them.
const CAPABILITIES: u64 = 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39;

/// There is one at a time: names are always the same, so that what is left of a killed one is found.
const LOCK: &str = "/run/modlb-deb.lock";

/// What the machine's files are, but for those that every program or dpkg itself writes.
const FILES: &str = "find / -xdev -path /var/lib/dpkg -prune -o -path /var/log -prune -o -path /var/cache -prune -o -path /tmp \
                     -prune -o -path /root -prune -o -print | sort";

/// Goes through it; everything is gone afterwards.
pub fn run(package: &Path, next: &Path, modlb: &Path) -> Result<()> {
    interrupt::install()?;
    let lock = Flock::lock(fs::File::create(LOCK)?, FlockArg::LockExclusiveNonblock);
    let lock = lock.map_err(|(_, error)| anyhow!(error)).context("another test of a package is running")?;
    let start = Instant::now();
    step("starting a machine with a systemd of its own");
    let machine = Machine::boot()?;
    let network = Network::around(machine.init(), modlb)?;
    let tried = Trial { machine: &machine }.go(package, next);
    if tried.is_err() && !interrupt::happened() {
        let log = machine.run(&format!(
            "systemctl status --no-pager --full {UNIT}; journalctl --no-pager --lines 100 --unit {UNIT}"
        ));
        eprintln!("\nthe machine says:\n{}", log.unwrap_or_else(|error| format!("{error:#}")));
    }
    drop((network, machine));
    fs::remove_file(LOCK)?;
    drop(lock);
    match tried {
        Ok(()) => {
            println!("\nThe package is as it should be ({:.0?}); nothing is left behind.", start.elapsed());
            Ok(())
        }
        Err(_) if interrupt::happened() => Err(anyhow!("interrupted; everything has been removed")),
        Err(error) => Err(error.context("the package failed its test")),
    }
}

struct Trial<'a> {
    machine: &'a Machine,
}

impl Trial<'_> {
    fn go(&self, package: &Path, next: &Path) -> Result<()> {
        let before = self.run(FILES)?;
        self.install(package)?;
        self.start_without_interface()?;
        self.start()?;
        self.restart_and_reload()?;
        self.confirm_outlives_its_unit()?;
        self.upgrade(next)?;
        self.upgrade_without_agent(next)?;
        self.remove()?;
        self.install_again(next)?;
        self.purge(&before)
    }

    fn install(&self, package: &Path) -> Result<()> {
        step("installing it: nothing starts, nothing is enabled");
        self.dpkg("--install", package)?;
        ensure!(self.run("dpkg --verify modlb")?.is_empty(), "files differ from what the package says of them");
        self.run("modlb --version; systemd-analyze verify --man=no modlb-agent.service modlb-agent@blue.service")?;
        self.run("modlb check /usr/share/doc/modlb/examples/modlb.toml")?;
        self.run("bash -n /usr/share/bash-completion/completions/modlb && gzip -t /usr/share/man/man8/modlb*.8.gz")?;
        ensure!(self.state("is-enabled") == "disabled", "the unit is {}", self.state("is-enabled"));
        // Trap: what helps with units takes one that it knows for one that is to be enabled.
        self.dpkg("--install", package)?;
        ensure!(self.state("is-enabled") == "disabled", "the second time the unit is {}", self.state("is-enabled"));
        self.run(&format!("systemctl start {UNIT}"))?;
        ensure!(self.state("is-active") == "inactive", "the agent runs without a configuration");
        self.expect_detached()
    }

    /// A mistyped name of an interface holds up neither the agent's start nor what waits for that.
    fn start_without_interface(&self) -> Result<()> {
        step("starting it with an interface that is not there: keepalived starts all the same");
        let (config, keepalived) =
            (self.machine.path("/etc/modlb/modlb.toml"), "/etc/systemd/system/keepalived.service");
        fs::write(&config, Network::configuration().replace("eth0", "eth7"))?;
        // The unit's name is what counts: the agent's says that it comes before.
        let unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
        fs::write(self.machine.path(keepalived), unit)?;
        self.run(&format!("systemctl daemon-reload && systemctl start {UNIT} keepalived.service"))?;
        ensure!(self.state("is-active") == "active", "the agent is {}", self.state("is-active"));
        ensure!(self.run("systemctl is-active keepalived.service")?.trim() == "active", "keepalived does not start");
        let status = self.run(&format!("systemctl show -P StatusText {UNIT}"))?;
        ensure!(status.contains("waiting for eth7"), "its status is: {status}");
        self.run(&format!("systemctl stop {UNIT} keepalived.service && rm {keepalived} && systemctl daemon-reload"))?;
        self.expect_detached()
    }

    fn start(&self) -> Result<()> {
        step("configuring and starting it");
        fs::write(self.machine.path("/etc/modlb/modlb.toml"), Network::configuration())?;
        self.run(&format!("systemctl enable --now {UNIT}"))?;
        ensure!(self.state("is-active") == "active", "the agent is {}", self.state("is-active"));
        println!("{}", self.run("modlb status")?.trim_end());
        self.expect_few_powers()
    }

    /// The unit's word is systemd's to keep: the kernel says what the process has.
    fn expect_few_powers(&self) -> Result<()> {
        let status = fs::read_to_string(self.machine.path(&format!("/proc/{}/status", self.agent()?)))?;
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
            let bits = u64::from_str_radix(value(set), 16)?;
            ensure!(bits == CAPABILITIES, "the agent's {set} {bits:#x}, not {CAPABILITIES:#x}");
        }
        ensure!(value("NoNewPrivs:") == "1", "the agent may get more privileges");
        ensure!(value("Seccomp:") == "2", "the agent may make any system call");
        Ok(())
    }

    fn restart_and_reload(&self) -> Result<()> {
        step("killing, restarting and reloading the agent under load");
        let load = Load::start()?;
        let killed = self.agent()?;
        self.run(&format!("systemctl kill --signal KILL {UNIT}"))?;
        // Trap: for a moment the unit is still active, with no process.
        self.until("the agent is started again after it was killed", || {
            Ok(self.state("is-active") == "active" && ![0, killed].contains(&self.agent()?))
        })?;
        self.run(&format!("systemctl restart {UNIT}"))?;
        let agent = self.agent()?;
        let path = self.machine.path("/etc/modlb/modlb.toml");
        let more = "\n[[service]]\nname = \"more\"\naddress = \"203.0.113.11\"\n";
        fs::write(&path, Network::configuration() + more)?;
        self.run(&format!("systemctl reload {UNIT}"))?;
        self.until("the new configuration is in force", || Ok(self.run("modlb services")?.contains("more")))?;
        ensure!(self.agent()? == agent, "a reload has started another agent");
        self.expect_nothing_lost(load)
    }

    /// systemd kills what a unit leaves behind; the process that waits for `modlb confirm` has its own unit.
    fn confirm_outlives_its_unit(&self) -> Result<()> {
        step("changing it from a unit that ends: the change is still rolled back unless confirmed");
        let before = self.run("modlb export")?;
        fs::write(self.machine.path("/tmp/change.toml"), Network::configuration())?;
        self.run(
            "systemd-run --quiet --unit=caller --property=Type=oneshot modlb apply /tmp/change.toml --confirm 600",
        )?;
        self.until("the caller's unit has ended", || {
            Ok(self.run("systemctl is-active caller.service || true")?.trim() == "inactive")
        })?;
        let unconfirmed = self.status()?["unconfirmed"].clone();
        ensure!(unconfirmed["waiting"] == true, "nothing rolls the change back: {unconfirmed}");
        let units = self.run("systemctl list-units --no-legend --plain 'modlb-confirm-*.scope'")?;
        ensure!(units.lines().count() == 1, "the process that waits has no unit of its own: {units}");
        // Ended as at a shutdown, it does not leave the change in force.
        self.run("systemctl stop 'modlb-confirm-*.scope'")?;
        self.until("the change is rolled back", || Ok(self.status()?["unconfirmed"].is_null()))?;
        ensure!(self.run("modlb export")? == before, "another configuration is in force than before the change");
        self.run("rm /tmp/change.toml").map(drop)
    }

    fn upgrade(&self, next: &Path) -> Result<()> {
        step("upgrading under load");
        let (program, agent, digest) = (self.program()?, self.agent()?, self.status()?["digest"].clone());
        let load = Load::start()?;
        let received = load.received();
        self.dpkg("--install", next)?;
        ensure!(load.received() > received, "nothing was forwarded meanwhile");
        self.until("the agent runs again", || Ok(self.state("is-active") == "active"))?;
        self.expect_nothing_lost(load)?;
        ensure!(self.program()? != program, "the program is the same as before");
        ensure!(self.agent()? != agent, "the agent is the same as before");
        ensure!(self.status()?["digest"] == digest, "the configuration in force has changed");
        println!("program {program} → {}, agent {agent} → {}", self.program()?, self.agent()?);
        Ok(())
    }

    /// Beside an instance that cannot be upgraded, as another version may have left one.
    fn upgrade_without_agent(&self, package: &Path) -> Result<()> {
        step("upgrading under load what commands keep, beside what nobody can upgrade");
        self.run(&format!("systemctl stop {UNIT} && mkdir /sys/fs/bpf/modlb/unfinished"))?;
        let (program, load) = (self.program()?, Load::start()?);
        let said = self.dpkg("--install", package)?;
        self.expect_nothing_lost(load)?;
        ensure!(said.contains("modlb: instance unfinished continues"), "nothing is said of the other instance");
        ensure!(self.program()? != program, "the program is the same as before");
        ensure!(self.state("is-active") == "inactive", "an agent runs that did not");
        self.run(&format!("systemctl start {UNIT}")).map(drop)
    }

    fn remove(&self) -> Result<()> {
        step("removing it: the datapath goes, the configuration stays");
        self.run("dpkg --remove modlb")?;
        ensure!(self.state("is-active") == "inactive", "the agent is {}", self.state("is-active"));
        ensure!(self.machine.path("/etc/modlb/modlb.toml").exists(), "the configuration is gone");
        self.expect_detached()
    }

    fn install_again(&self, package: &Path) -> Result<()> {
        step("installing it again: enabled as before");
        self.dpkg("--install", package)?;
        ensure!(self.state("is-enabled") == "enabled", "the unit is {}", self.state("is-enabled"));
        self.run(&format!("systemctl start {UNIT}"))?;
        let load = Load::start()?;
        self.expect_nothing_lost(load)
    }

    fn purge(&self, before: &str) -> Result<()> {
        step("purging it while it runs: the operator's file stays");
        self.run("dpkg --purge modlb")?;
        self.expect_detached()?;
        ensure!(!self.machine.path("/run/modlb").exists(), "/run/modlb is left");
        fs::remove_file(self.machine.path("/etc/modlb/modlb.toml")).context("the operator's configuration is gone")?;
        fs::remove_dir(self.machine.path("/etc/modlb"))
            .context("there is more in /etc/modlb than its operator made")?;
        let after = self.run(FILES)?;
        let left: Vec<_> = after.lines().filter(|path| !before.lines().any(|known| known == *path)).collect();
        ensure!(left.is_empty(), "left behind: {}", left.join(" "));
        ensure!(self.run("systemctl --failed --no-legend")?.is_empty(), "services have failed");
        Ok(())
    }

    /// By a copy within the machine.
    fn dpkg(&self, what: &str, package: &Path) -> Result<String> {
        const INSIDE: &str = "/modlb.deb";
        let copy = self.machine.path(INSIDE);
        fs::copy(package, &copy)?;
        let said = self.run(&format!("dpkg {what} {INSIDE} 2>&1"));
        fs::remove_file(copy)?;
        print!("{}", said.as_ref().map_or("", String::as_str));
        said
    }

    fn run(&self, command: &str) -> Result<String> {
        self.machine.run(command)
    }

    /// A word of `systemctl`'s, whatever its exit status.
    fn state(&self, question: &str) -> String {
        let answer = self.run(&format!("systemctl {question} {UNIT} || true"));
        answer.map_or_else(|error| format!("{error:#}"), |answer| answer.trim().to_owned())
    }

    fn agent(&self) -> Result<u32> {
        Ok(self.run(&format!("systemctl show -P MainPID {UNIT}"))?.trim().parse()?)
    }

    fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.run("modlb status --json")?)?)
    }

    fn program(&self) -> Result<u64> {
        let status = self.status()?;
        status["interfaces"][0]["program_id"].as_u64().ok_or_else(|| anyhow!("no program runs: {status}"))
    }

    fn expect_detached(&self) -> Result<()> {
        // The kernel puts two iterators of its own beside.
        let pins = self.run("find /sys/fs/bpf -mindepth 1 -not -name '*.debug'")?;
        ensure!(pins.is_empty(), "pins are left: {pins}");
        let link = self.run("ip -details link show eth0")?;
        ensure!(!link.contains("xdp"), "a program is left: {link}");
        Ok(())
    }

    fn expect_nothing_lost(&self, load: Load) -> Result<()> {
        let (sent, received) = load.finish()?;
        println!("{sent} datagrams sent, {received} arrived");
        ensure!(sent == received, "datagrams were lost or doubled");
        Ok(())
    }

    fn until(&self, what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while !is_so()? {
            if start.elapsed() > PATIENCE {
                bail!("not so after {} s: {what}", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn step(what: &str) {
    println!("\n== {what}");
}
