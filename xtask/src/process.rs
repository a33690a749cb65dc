//! Running other programs.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The cargo that runs this.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program, whose output is shown, and fails when it does.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a program and returns what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        bail!("{} failed ({}): {}", shown(command), output.status, text(&output.stderr).trim());
    }
    Ok(text(&output.stdout))
}

/// Whether a program runs and succeeds; nothing is shown.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program that needs root: by sudo, unless this is root.
pub fn as_root(program: impl AsRef<OsStr>) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let name = program.as_ref().display();
    ensure!(find("sudo").is_some(), "{name} needs root, and there is no sudo; run this as root");
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env").arg(program);
    Ok(sudo)
}

/// Whether this is root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Where setup keeps programs that cannot be installed here.
pub fn unpacked_programs() -> PathBuf {
    root().join("target/unpacked/bin")
}

/// Where a program is: on the path, where Debian keeps those for root, or where setup unpacked it.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_root = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let directories = std::env::split_paths(&path).chain(of_root).chain([unpacked_programs()]);
    directories.map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let _ = write!(text, "{}={} ", name.display(), value.display());
        }
    }
    let _ = write!(text, "{}", command.get_program().display());
    for argument in command.get_args() {
        let _ = write!(text, " {}", argument.display());
    }
    text
}
