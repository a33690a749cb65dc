//! `cargo xtask test --kernel VERSION`: the privileged tests on one of Debian's kernels, in an emulated machine.
//!
//! The machine is QEMU without KVM, which works everywhere, if slowly. Its whole file system is an archive made here: the
//! kernel's modules for veth and bridges, the tests as cargo built them, the command, and the programs that the tests run,
//! each with the libraries that it asks for.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    build,
    process::{self, capture, cargo, find, root},
    setup,
};

/// Tests that run there; those of `topology` that last long are left to this machine's kernel.
const TESTS: [(&str, &str); 3] = [("datapath", ""), ("oracle", ""), ("topology", "generic only_the_flows")];

/// Packets for the oracle: emulation is slow.
const ORACLE_PACKETS: u32 = 100_000;

/// Programs that the tests run. Trap: BusyBox's own shell takes its own `ip` whatever the path says, hence dash.
const PROGRAMS: [&str; 5] = ["dash", "ip", "nsenter", "ethtool", "unshare"];

/// In the order in which they need each other.
const MODULES: [&str; 6] = [
    "net/llc/llc",
    "net/802/stp",
    "net/bridge/bridge",
    "drivers/net/veth",
    "net/sched/sch_ingress",
    "net/sched/cls_bpf",
];

/// What the machine prints when all went well.
const GOOD: &str = "ALL TESTS PASSED";

/// Boots Debian's newest kernel of this version, such as 6.1, and runs the tests in it; given words, those of the datapath
/// whose names contain one.
pub fn run(version: &str, words: &[String]) -> Result<()> {
    ensure!(std::env::consts::ARCH == "x86_64", "an emulated kernel is only set up for x86_64");
    setup::emulator()?;
    let work = root().join("target/kernels").join(version);
    let kernel = Kernel::fetch(version, &work)?;
    println!("building the tests …");
    let tests = executables()?;
    let archive = work.join("initramfs.cpio");
    pack(&work.join("files"), &archive, &kernel, &tests, words)?;
    println!("booting Linux {} …", kernel.release);
    boot(&kernel, &archive)
}

/// A kernel package, unpacked.
struct Kernel {
    release: String,
    directory: PathBuf,
}

impl Kernel {
    fn fetch(version: &str, work: &Path) -> Result<Self> {
        let directory = work.join("kernel");
        if let Ok(kernel) = Self::at(directory.clone()) {
            return Ok(kernel);
        }
        let package = package(version)?;
        println!("fetching {package}");
        fs::create_dir_all(work)?;
        process::run(Command::new("apt-get").args(["--quiet", "download", &package]).current_dir(work))?;
        let archive = fs::read_dir(work)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .context("the package was not downloaded")?;
        process::run(Command::new("dpkg-deb").arg("--extract").args([&archive, &directory]))?;
        fs::remove_file(archive)?;
        Self::at(directory)
    }

    fn at(directory: PathBuf) -> Result<Self> {
        let mut names =
            fs::read_dir(directory.join("boot"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let release = names.find_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned));
        Ok(Self { release: release.context("no kernel in the package")?, directory })
    }

    fn image(&self) -> PathBuf {
        self.directory.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    fn module(&self, name: &str) -> Result<PathBuf> {
        let modules = self.directory.join("lib/modules").join(&self.release).join("kernel");
        let path = modules.join(format!("{name}.ko"));
        ensure!(path.is_file(), "the kernel has no module {name}.ko, or packs it; see docs/KERNELS.md");
        Ok(path)
    }
}

/// The newest package of a version.
fn package(version: &str) -> Result<String> {
    let pattern = format!("^linux-image-{}\\.[0-9.-]+-amd64$", version.replace('.', "\\."));
    let found = capture(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split_whitespace().next());
    let numbers = |name: &str| -> Vec<u32> { name.split(['.', '-']).filter_map(|part| part.parse().ok()).collect() };
    let newest = names.max_by_key(|name| numbers(name));
    newest
        .map(str::to_owned)
        .with_context(|| format!("this Debian has no kernel {version}; `apt-cache search linux-image` lists them"))
}

/// The tests' executables, by name, as cargo builds them.
fn executables() -> Result<Vec<(String, PathBuf)>> {
    let mut build = build::with_toolchain(cargo())?;
    build.args([
        "test",
        "--no-run",
        "--release",
        "--package",
        "lb-userspace",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let mut child = build.stdout(Stdio::piped()).spawn()?;
    let messages = BufReader::new(child.stdout.take().context("cargo says nothing")?);
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let wanted = name == "modlb" || TESTS.iter().any(|(test, _)| *test == name);
        if let (true, Some(path)) = (wanted, message["executable"].as_str()) {
            found.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    ensure!(child.wait()?.success(), "the tests cannot be built");
    Ok(found)
}

/// Makes the machine's file system.
fn pack(
    files: &Path,
    archive: &Path,
    kernel: &Kernel,
    executables: &[(String, PathBuf)],
    words: &[String],
) -> Result<()> {
    let _ = fs::remove_dir_all(files);
    for directory in ["proc", "sys", "dev", "run", "tmp", "bin", "modules"] {
        fs::create_dir_all(files.join(directory))?;
    }
    for module in MODULES {
        let path = kernel.module(module)?;
        fs::copy(&path, files.join("modules").join(path.file_name().unwrap_or_default()))?;
    }
    copy_program(&find("busybox").context("busybox is missing")?, files)?;
    for program in PROGRAMS {
        copy_program(&find(program).with_context(|| format!("{program} is missing"))?, files)?;
    }
    for (_, path) in executables {
        copy_program(path, files)?;
    }
    copy_program(&root().join("scripts/server-setup.sh"), files)?;
    // The tests find the script by way of their crate.
    fs::create_dir_all(files.join(root().join("lb-userspace").strip_prefix("/")?))?;
    let init = files.join("init");
    fs::write(&init, init_script(executables, words))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let pack = format!("find . | cpio --quiet --create --format newc > '{}'", archive.display());
    process::run(Command::new("sh").args(["-c", &pack]).current_dir(files))
}

/// Copies a program to where it is here, with the libraries that it asks for, without what only debuggers read.
fn copy_program(program: &Path, files: &Path) -> Result<()> {
    let mut all = BTreeSet::from([program.to_owned()]);
    // Scripts and static programs ask for none.
    let libraries = capture(Command::new("ldd").arg(program)).unwrap_or_default();
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    all.extend(paths.map(|path| PathBuf::from(path.trim_end_matches(':'))));
    for path in all {
        let to = files.join(path.strip_prefix("/")?);
        fs::create_dir_all(to.parent().unwrap_or(files))?;
        if !to.exists() {
            fs::copy(&path, &to).with_context(|| format!("copying {}", path.display()))?;
            let _ = process::succeeds(Command::new("strip").arg("--strip-debug").arg(&to));
        }
    }
    Ok(())
}

fn init_script(executables: &[(String, PathBuf)], words: &[String]) -> String {
    let [busybox, dash] = ["busybox", "dash"].map(|program| find(program).unwrap_or_default());
    let (busybox, dash) = (busybox.display(), dash.display());
    let mut script = format!(
        "#!{busybox} sh\n\
         {busybox} mkdir -p /busybox && {busybox} --install -s /busybox && /busybox/ln -sf {dash} /bin/sh\n\
         export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/busybox CI=true MODLB_ORACLE_PACKETS={ORACLE_PACKETS}\n\
         mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t tmpfs none /run\n\
         mkdir -p /run/netns\n"
    );
    for module in MODULES {
        script += &format!("insmod /modules/{}.ko\n", module.rsplit('/').next().unwrap_or_default());
    }
    script += "ip link set lo up\nfailed=0\n";
    let some = words.join(" ");
    let tests = if words.is_empty() { &TESTS[..] } else { &[("datapath", &some[..])] };
    for &(test, filters) in tests {
        let Some((_, path)) = executables.iter().find(|(name, _)| name == test) else { continue };
        let filters = if filters.is_empty() { vec![""] } else { filters.split(' ').collect() };
        for filter in filters {
            script += &format!("echo '== {test} {filter}'\n{} {filter} || failed=1\n", path.display());
        }
    }
    script + &format!("[ $failed = 0 ] && echo '{GOOD}'\npoweroff -f\n")
}

/// Runs the machine and shows what it prints.
fn boot(kernel: &Kernel, archive: &Path) -> Result<()> {
    let mut machine = Command::new("qemu-system-x86_64");
    machine
        .args(["-machine", "accel=tcg", "-cpu", "max", "-smp", "2", "-m", "3072", "-nographic", "-no-reboot"])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(archive)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut machine = machine.spawn().context("cannot start qemu-system-x86_64")?;
    let console = BufReader::new(machine.stdout.take().context("the machine has no console")?);
    let mut good = false;
    for line in console.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        good |= line.trim_end() == GOOD;
        println!("  {}", line.trim_end());
    }
    machine.wait()?;
    if !good {
        bail!("tests failed on Linux {}", kernel.release);
    }
    Ok(())
}
