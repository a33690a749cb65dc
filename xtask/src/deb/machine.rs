//! A machine in namespaces: Debian with its own systemd. It disappears with its last process.
//!
//! Trap: systemd needs a cgroup that it sees as the root. It gets a separate one in a cgroup namespace; ending that
//! by `cgroup.kill` leaves no process behind, however it was started.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::sources::DIRECTORY;
use crate::{
    interrupt,
    process::{capture, root, run},
};

/// Its cgroup, below that of the whole host.
const CGROUP: &str = "modlb-deb";

/// What there is beside the minimum.
const PACKAGES: &str = "--include=systemd,systemd-sysv,iproute2";

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// How long it may take until the kernel has ended all its processes.
const END: Duration = Duration::from_secs(10);

const LOOK: Duration = Duration::from_millis(50);

/// The running machine.
#[derive(Debug)]
pub struct Machine {
    cgroup: PathBuf,
    directory: PathBuf,
    process: Option<Child>,
    init: u32,
}

impl Machine {
    /// Starts one, and returns when everything in it has started.
    pub fn boot() -> Result<Self> {
        let (base, directory) = (base()?, root().join(DIRECTORY).join("machine"));
        fs::create_dir_all(&directory)?;
        let mut machine = Self { cgroup: cgroups()?.join(CGROUP), directory, process: None, init: 0 };
        // What was killed may have left one.
        machine.end();
        fs::create_dir_all(&machine.cgroup)?;
        fs::create_dir_all(&machine.directory)?;
        let mut boot = Command::new("sh");
        boot.args(["-euc", "echo $$ >\"$0/cgroup.procs\"; exec \"$@\""]).arg(&machine.cgroup);
        // It does not outlive this process.
        boot.args(["setpriv", "--pdeathsig", "KILL", "unshare", "--kill-child", "--fork"]);
        boot.args(["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"]);
        boot.arg("sh").arg(root().join("xtask/src/deb/boot.sh")).arg(base).arg(&machine.directory);
        let process = boot.stdin(Stdio::null()).process_group(0).spawn().context("starting the machine")?;
        let unshare = process.id();
        machine.process = Some(process);
        machine.wait_for_init(unshare)?;
        machine.run("systemctl is-system-running --wait")?;
        Ok(machine)
    }

    /// The process that has all its namespaces.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// A path in it, seen from here.
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.init.to_string()).join("root").join(path.trim_start_matches('/'))
    }

    /// Runs a shell command in it and returns what it printed.
    pub fn run(&self, command: &str) -> Result<String> {
        interrupt::check()?;
        let mut enter = Command::new("nsenter");
        enter.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "--",
        ]);
        enter.args([
            "env",
            "-i",
            "LC_ALL=C.UTF-8",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        capture(enter.args(["timeout", "60", "sh", "-c", command]).process_group(0))
    }

    fn wait_for_init(&mut self, unshare: u32) -> Result<()> {
        let start = Instant::now();
        let children = format!("/proc/{unshare}/task/{unshare}/children");
        loop {
            interrupt::check()?;
            let ended = self.process.as_mut().map(Child::try_wait).transpose()?.flatten();
            ensure!(ended.is_none(), "the machine does not start, see above");
            ensure!(start.elapsed() < START, "the machine has not started after {} s", START.as_secs());
            let child = fs::read_to_string(&children).unwrap_or_default();
            if let Some(init) = child.split_whitespace().next().and_then(|pid| pid.parse().ok()) {
                self.init = init;
                let is_systemd = fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name == "systemd\n");
                if is_systemd && self.path("/run/systemd/private").exists() {
                    return Ok(());
                }
            }
            thread::sleep(LOOK);
        }
    }

    fn end(&mut self) {
        let start = Instant::now();
        let _ = fs::write(self.cgroup.join("cgroup.kill"), "1");
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        while self.cgroup.exists() && start.elapsed() < END {
            remove_cgroups(&self.cgroup);
            thread::sleep(LOOK);
        }
        if self.cgroup.exists() {
            eprintln!("warning: {} cannot be removed", self.cgroup.display());
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}

/// From the leaves on: the file system has no other way.
fn remove_cgroups(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    let _ = fs::remove_dir(cgroup);
}

/// Where the host has version 2 of cgroups.
fn cgroups() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let found = mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [_, path, "cgroup2", ..] => Some(PathBuf::from(path)),
        _ => None,
    });
    found.context(
        "no file system of type cgroup2 is mounted; systemd needs one: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    )
}

/// This distribution, packed, as it comes: kept, for it takes a minute or two to make.
fn base() -> Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.context("/etc/os-release names no release that debootstrap could install")?.trim_matches('"');
    let base = root().join(DIRECTORY).join(format!("base-{name}.tar"));
    if base.exists() {
        return Ok(base);
    }
    println!("making {}, once (a minute or two)", base.display());
    let (directory, packing) = (base.with_extension("dir"), base.with_extension("tar.new"));
    let made = make(name, &directory, &packing);
    fs::remove_dir_all(&directory).with_context(|| format!("removing {}", directory.display()))?;
    made?;
    fs::rename(packing, &base)?;
    Ok(base)
}

fn make(name: &str, directory: &Path, packing: &Path) -> Result<()> {
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", PACKAGES, name]).arg(directory).process_group(0);
    capture(&mut debootstrap)?;
    interrupt::check()?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--one-file-system", "--exclude=./var/cache/apt/archives/*.deb"]);
    run(tar.arg("--file").arg(packing).arg("--directory").arg(directory).arg("."))
}
