//! `cargo xtask test --kernel VERSION`: the privileged tests on one of Debian's kernels, in an emulated machine.
//!
//! The machine is QEMU without KVM, which works everywhere, if slowly. Its whole file system is an archive made here:
//! the kernel's modules for veth and bridges, the tests and the command as `cargo xtask test` builds them, and the
//! programs that the tests run, each with the libraries that it needs.

mod package;

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

use package::Kernel;

use crate::{
    process::{self, capture, find, root},
    setup,
};

/// Tests that run there; those of `topology` and `lifecycle` that last long are left to this machine's kernel.
const TESTS: [(&str, &str); 5] = [
    ("datapath", ""),
    ("oracle", ""),
    ("topology", "generic only_the_flows"),
    ("lifecycle", "two_instances_are_independent"),
    ("keep", "changes::"),
];

/// Those of which words choose.
const BY_WORD: [&str; 4] = ["datapath", "topology", "lifecycle", "keep"];

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

/// Boots Debian's newest kernel of this version, such as 6.1 or 6.1-rt, and runs the tests in it; given words, those of
/// four of its parts whose names contain one.
pub fn run(version: &str, words: &[String]) -> Result<()> {
    ensure!(std::env::consts::ARCH == "x86_64", "an emulated kernel is only set up for x86_64");
    setup::emulator()?;
    let work = root().join("target/kernels").join(version);
    let kernel = Kernel::fetch(version, &work)?;
    println!("building the tests …");
    let executables = executables()?;
    let tests = chosen(&executables, words)?;
    let archive = work.join("initramfs.cpio");
    pack(&work.join("files"), &archive, &kernel, &executables, &tests)?;
    println!("booting Linux {} …", kernel.release);
    boot(&kernel, &archive)
}

/// The executables of the tests and the command, by name, from the build that `cargo xtask test` runs.
fn executables() -> Result<Vec<(String, PathBuf)>> {
    let mut build = super::workspace()?;
    build.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    let mut child = build.stdout(Stdio::piped()).spawn()?;
    let messages = BufReader::new(child.stdout.take().context("cargo says nothing")?);
    let mut found = Vec::new();
    for line in messages.lines() {
        found.extend(executable(&serde_json::from_str(&line?)?));
    }
    ensure!(child.wait()?.success(), "the tests cannot be built");
    Ok(found)
}

/// Trap: other crates have tests of the same names, and the command's own unit tests are an executable named like it.
fn executable(message: &Value) -> Option<(String, PathBuf)> {
    let name = message["target"]["name"].as_str()?;
    let wanted = match message["profile"]["test"].as_bool()? {
        true => TESTS.iter().any(|(test, _)| *test == name),
        false => name == "modlb",
    };
    let ours = message["manifest_path"].as_str().map(Path::new) == Some(&root().join("lb-userspace/Cargo.toml"));
    let path = message["executable"].as_str()?;
    (wanted && ours).then(|| (name.to_owned(), PathBuf::from(path)))
}

/// A test's executable, and words of which one is in the name of each of its tests that run.
struct Chosen<'a> {
    name: &'static str,
    path: &'a Path,
    words: Vec<&'a str>,
}

fn chosen<'a>(executables: &'a [(String, PathBuf)], words: &'a [String]) -> Result<Vec<Chosen<'a>>> {
    if words.is_empty() {
        let all = TESTS.iter().map(|(name, words)| Chosen::new(executables, name, words.split_whitespace().collect()));
        return all.collect();
    }
    let mut found = BY_WORD.iter().map(|name| Chosen::new(executables, name, vec![])).collect::<Result<Vec<_>>>()?;
    for word in words {
        let mut known = false;
        for tests in &mut found {
            if tests.has(word)? {
                tests.words.push(word);
                known = true;
            }
        }
        ensure!(known, "no test of {} has `{word}` in its name", BY_WORD.join(" or "));
    }
    found.retain(|tests| !tests.words.is_empty());
    Ok(found)
}

impl<'a> Chosen<'a> {
    /// Trap: a test's executable is content with a word that no name has in it, and runs nothing.
    fn new(executables: &'a [(String, PathBuf)], name: &'static str, words: Vec<&'a str>) -> Result<Self> {
        let built = executables.iter().find(|(built, _)| built == name);
        let path = built.map(|(_, path)| path.as_path()).with_context(|| format!("cargo built no test {name}"))?;
        let tests = Self { name, path, words };
        for word in &tests.words {
            let list = path.display();
            ensure!(tests.has(word)?, "no test of {name} has `{word}` in its name; {list} --list shows them");
        }
        Ok(tests)
    }

    /// Whether a test's name contains the word.
    fn has(&self, word: &str) -> Result<bool> {
        let list = capture(Command::new(self.path).args(["--list", word]))?;
        Ok(list.lines().any(|line| line.ends_with(": test")))
    }
}

/// Makes the machine's file system.
fn pack(
    files: &Path,
    archive: &Path,
    kernel: &Kernel,
    executables: &[(String, PathBuf)],
    tests: &[Chosen],
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
    fs::write(&init, init_script(tests))?;
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

fn init_script(tests: &[Chosen]) -> String {
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
    for Chosen { name, path, words } in tests {
        let words = words.join(" ");
        script += &format!("echo '== {name} {words}'\n{} {words} || failed=1\n", path.display());
    }
    script + &format!("[ $failed = 0 ] && echo '{GOOD}'\npoweroff -f\n")
}

/// Runs the machine and shows what it prints.
fn boot(kernel: &Kernel, archive: &Path) -> Result<()> {
    let emulator = find("qemu-system-x86_64").context("qemu-system-x86_64 is missing")?;
    let mut machine = Command::new(emulator);
    machine
        .args(["-machine", "accel=tcg", "-cpu", "max", "-smp", "2", "-m", "3072", "-no-reboot", "-nic", "none"])
        // Not -nographic: the firmware would clear the terminal.
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
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
