//! Mounts and processes apart from the machine's, as in a container.

use std::{env, path::Path, process::Command};

use super::namespace::{Namespace, run};

/// What a script starts with: `modlb`, `nobody` (runs a command as another user) and `refused` (the command must fail;
/// what it says is printed).
const PRELUDE: &str = r#"
set -eu
mount -t tmpfs -o mode=0755 tmpfs /run
while umount /sys/fs/bpf 2>/dev/null; do :; done
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
refused() { if "$@" 2>&1; then echo "not refused: $*"; exit 9; fi; }
same() { [ "$1" = "$2" ] || { echo "$1, not $2"; exit 9; }; }
"#;

/// Runs a shell script in a network namespace, as the first process of a container with an empty /run and without a
/// BPF file system. It must succeed. Returns what it prints, errors included.
pub fn contained(namespace: &Namespace, script: &str) -> String {
    let mut command = namespace.command("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]);
    command.arg(format!("exec 2>&1; {PRELUDE}\n{script}"));
    with_modlb(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

/// A command in whose path `modlb` is the one that is tested.
pub fn with_modlb(command: &mut Command) -> &mut Command {
    let directory = Path::new(env!("CARGO_BIN_EXE_modlb")).parent().unwrap();
    command.env("PATH", format!("{}:{}", directory.display(), env::var("PATH").unwrap()))
}

/// Runs a shell script as `ip netns exec` does: with mounts that end with it. It must fail. Returns what it prints.
pub fn refused_in_netns_exec(namespace: &Namespace, script: &str) -> String {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace.name(), "sh", "-c", &format!("exec 2>&1; {script}")]);
    let output = with_modlb(&mut command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "{script}: {text}");
    text
}

/// Runs a shell script with a copy of the machine's mounts. It must succeed. Returns what it prints.
pub fn with_own_mounts(script: &str) -> String {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("exec 2>&1; {script}")]);
    String::from_utf8(run(with_modlb(&mut command)).stdout).unwrap()
}
