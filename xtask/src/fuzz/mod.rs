//! `cargo xtask fuzz`: feeds generated input to modlb's parsers, guided by coverage.

mod build;
mod finding;
mod progress;
mod target;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::ValueEnum as _;

use self::target::CRATE;
pub use self::target::Target;
use crate::{
    build::target_directory,
    interrupt,
    process::{root, shown},
    setup,
};

/// Fuzzes each target, or one, for so many minutes.
pub fn run(minutes: f64, target: Option<Target>) -> Result<()> {
    let time = Duration::try_from_secs_f64(minutes * 60.0).context("MINUTES is no length of time")?;
    ensure!(time >= Duration::from_secs(1), "MINUTES is less than a second; 0.1 is six");
    setup::fuzzer()?;
    build::all()?;
    interrupt::install()?;
    let targets = target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target]);
    let mut findings = 0;
    for target in targets {
        findings += fuzz(target, time)?;
        interrupt::check()?;
    }
    ensure!(findings == 0, "{findings} of the targets found something");
    println!("\nfuzz: no findings");
    Ok(())
}

/// Gives one input to its target: that which the name of the file's directory says.
pub fn repeat(input: &Path) -> Result<()> {
    let input = input.canonicalize().with_context(|| format!("cannot read {}", input.display()))?;
    let directory = input.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let Some(target) = Target::value_variants().iter().find(|target| target.name() == directory) else {
        bail!("{}: the directory of an input is named after its target: parse, config or capture", input.display());
    };
    setup::fuzzer()?;
    build::all()?;
    let status = build::binary(*target)?.arg(&input).status().context("the target does not run")?;
    ensure!(status.success(), "{} still fails", input.display());
    println!("fuzz: {} is fine", input.display());
    Ok(())
}

/// What a target's inputs are kept in.
fn directory(kind: &str, target: Target) -> Result<PathBuf> {
    let path = target_directory()?.join("fuzz").join(kind).join(target.name());
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

/// How many findings there are: one ends the run.
fn fuzz(target: Target, time: Duration) -> Result<u32> {
    println!("\nfuzz: {}, {} s", target.name(), time.as_secs());
    let mut fuzzer = command(target, time)?;
    let mut child = fuzzer
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(&fuzzer)))?;
    let output = child.stderr.take().context("the fuzzer's output is gone")?;
    let follower = thread::spawn(|| progress::follow(output));
    let status = wait(&mut child)?;
    let said = follower.join().map_err(|_| anyhow!("the fuzzer's output cannot be followed"))??;
    said.print(target.name());
    if interrupt::happened() || (status.success() && said.finding.is_none()) {
        return Ok(0);
    }
    let Some(input) = &said.finding else {
        bail!("the fuzzer of {} ended ({status}):\n{}", target.name(), said.last_words());
    };
    finding::show(target, Path::new(input), &said.last_words())?;
    Ok(1)
}

/// Waits for the fuzzer's end, and makes it end when the user wants to.
fn wait(child: &mut Child) -> Result<ExitStatus> {
    /// Ctrl-C at a terminal reaches the fuzzer as well, which then ends by itself.
    const PATIENCE: u32 = 10;
    let mut rounds = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt::happened() {
            rounds += 1;
            if rounds > PATIENCE {
                child.kill()?;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn command(target: Target, time: Duration) -> Result<Command> {
    let kept = root().join(CRATE);
    let mut fuzzer = build::binary(target)?;
    // All ways to a failure start in libFuzzer, and the message says what failed.
    fuzzer.env("RUST_BACKTRACE", "0");
    // Nothing takes so long or so much: an input that does is a finding, too.
    fuzzer.args(["-timeout=10", "-malloc_limit_mb=64", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    fuzzer.arg(format!("-max_total_time={}", time.as_secs()));
    fuzzer.arg(format!("-max_len={}", target.max_length()));
    fuzzer.arg(format!("-dict={}", kept.join("dictionaries").join(target.name()).display()));
    fuzzer.arg(format!("-artifact_prefix={}/", directory("findings", target)?.display()));
    // What is new goes to the first of the corpora.
    fuzzer.arg(directory("corpus", target)?);
    for known in ["seeds", "regressions"].map(|kind| kept.join(kind).join(target.name())) {
        if known.exists() {
            fuzzer.arg(known);
        }
    }
    Ok(fuzzer)
}
