//! Help, versions, completions, and what is no command.

use std::process::{Command, Stdio};

use crate::{fails, modlb, ok, stderr, stdout};

const COMMANDS: [&[&str]; 29] = [
    &["agent"],
    &["attach"],
    &["detach"],
    &["apply"],
    &["confirm"],
    &["check"],
    &["transition"],
    &["export"],
    &["server"],
    &["server", "up"],
    &["server", "down"],
    &["server", "add"],
    &["server", "remove"],
    &["status"],
    &["services"],
    &["servers"],
    &["stats"],
    &["connections"],
    &["top"],
    &["serve"],
    &["explain"],
    &["replay"],
    &["trace"],
    &["logs"],
    &["activate"],
    &["standby"],
    &["upgrade"],
    &["doctor"],
    &["completions"],
];

#[test]
fn every_command_has_help_with_an_example() {
    for command in COMMANDS {
        let help = ok(&[command, &["--help"]].concat());
        assert!(help.contains("Example") && help.contains("modlb "), "{command:?}:\n{help}");
        assert!(help.contains("--netns") && help.contains("--instance"), "{command:?}:\n{help}");
    }
    assert!(ok(&["--help"]).contains("Example"));
}

#[test]
fn reading_commands_offer_json() {
    for command in [
        "status",
        "services",
        "servers",
        "stats",
        "connections",
        "explain",
        "replay",
        "trace",
        "logs",
        "export",
        "check",
        "doctor",
    ] {
        assert!(ok(&[command, "--help"]).contains("--json"), "{command}");
    }
}

#[test]
fn the_version_is_printed() {
    let version = format!("modlb {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ok(&["-V"]), version);
    let long = ok(&["--version"]);
    let datapath = long.strip_prefix(&version).unwrap();
    assert!(datapath.contains("datapath") && datapath.lines().count() == 1, "{long}");
}

#[test]
fn unknown_commands_are_usage_errors() {
    for arguments in [
        &["frobnicate"][..],
        &[],
        &["server"],
        &["server", "up", "web"],
        &["explain", "x", "y"],
        &["transition"],
        &["transition", "old.toml"],
        &["transition", "old.toml", "new.toml", "--end", "next.toml"],
        &["stats", "--watch", "0"],
        &["connections", "--timeout", "3"],
        &["connections", "--wait", "--watch", "1"],
        &["top", "--interval", "0"],
        &["serve", "--listen", "localhost"],
        &["status", "--expect-digest", "12"],
    ] {
        fails(arguments, 2);
    }
    let error = fails(&["server", "up", "web", "ten"], 2);
    assert!(error.contains("ten"), "{error}");
}

/// Without an argument, and where one is missing, nothing is listed that `--help` does not list.
#[test]
fn hidden_commands_are_nowhere_listed() {
    let help = ok(&["--help"]);
    for arguments in [&[][..], &["-v"], &["--instance", "x"]] {
        let said = fails(arguments, 2);
        for hidden in ["trace-guard", "man", "dev"] {
            let listed = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == hidden);
            assert!(!listed(&said) && !listed(&help), "{arguments:?}: {hidden}: {said}");
        }
        assert!(said.contains("attach") && said.contains("doctor"), "{said}");
    }
    let bare = fails(&[], 2);
    let names = |text: &str| -> Vec<String> {
        let commands = text.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
        commands.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    };
    assert!(names(&help).len() > 20);
    assert_eq!(names(&bare), names(&help));
}

#[test]
fn there_are_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ok(&["completions", shell]).contains("modlb"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let directory = tempfile::tempdir().unwrap();
    ok(&["man", directory.path().to_str().unwrap()]);
    for command in std::iter::once(&[][..]).chain(COMMANDS) {
        let name = [&["modlb"], command].concat().join("-");
        let page = std::fs::read_to_string(directory.path().join(format!("{name}.8"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 8")), "{name}:\n{page}");
        assert!(page.contains("EXAMPLES") && page.contains("GLOBAL OPTIONS"), "{name}:\n{page}");
    }
    let pages = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(pages, COMMANDS.len() + 1, "hidden commands have no page, all others are in COMMANDS");
}

/// A reader that has seen enough is no error.
#[test]
fn a_broken_pipe_is_success() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
    let mut child =
        command.args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
}

/// Where nobody can read the error, the exit status says that there was one.
#[test]
fn an_error_that_cannot_be_printed_is_no_panic() {
    for arguments in [&["status"][..], &["check", "/no/such/file"], &["detach"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
        let status = command.args(["--instance", "no-such"]).args(arguments).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn without_an_instance_errors_name_the_remedy() {
    for arguments in [
        &["status"][..],
        &["stats"],
        &["connections"],
        &["export"],
        &["upgrade"],
        &["trace"],
        &["logs"],
        &["standby"],
        &["detach"],
        &["server", "up", "web", "10.0.0.1"],
    ] {
        let output = modlb(&[&["--instance", "no-such-instance"], arguments].concat());
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
        let error = stderr(&output);
        assert!(error.starts_with("error: no instance no-such-instance is running; start one with"), "{error}");
    }
    let error = fails(&["--netns", "no-such-namespace", "status"], 1);
    assert!(error.contains("no-such-namespace") && error.contains("ip netns list"), "{error}");
    assert!(fails(&["--instance", "a/b", "status"], 2).contains("letters, digits"));
}
