//! keepalived's notify script, without keepalived.

use std::{
    fs::OpenOptions,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

use crate::{
    keepalived::file,
    need_root,
    site::{Balancer, Site, configuration},
    support::{modlb::ODD_NAMES, wait::wait},
};

fn command(balancer: &Balancer) -> Command {
    let mut command = balancer.namespace.command("sh");
    command.arg(file("modlb-notify.sh")).args(["--modlb", env!("CARGO_BIN_EXE_modlb")]);
    command.args(["--instance", balancer.modlb.instance()]);
    command
}

fn notify(balancer: &Balancer, arguments: &str) -> Output {
    command(balancer).args(arguments.split_whitespace()).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn the_script_takes_states_from_its_arguments() {
    need_root!();
    let site = Site::new();
    site.attach("--standby");
    let balancer = &site.balancers[0];
    for (state, expected) in [
        ("BACKUP", "standby"),
        ("MASTER", "active"),
        ("MASTER", "active"),
        ("MASTER_RX_LOWER_PRI", "active"),
        ("BACKUP_PRIORITY", "active"),
        ("NONSENSE", "active"),
        ("FAULT", "standby"),
        ("MASTER", "active"),
        ("STOP", "standby"),
        ("MASTER", "active"),
        ("DELETED", "standby"),
    ] {
        let output = notify(balancer, &format!("GROUP modlb {state} 150"));
        assert_eq!((code(&output), balancer.state().as_str()), (Some(0), expected), "{state}: {output:?}");
    }
    assert_eq!(site.balancers[1].state(), "standby", "another instance was changed");
    assert_eq!(code(&notify(balancer, "--check")), Some(0));
    for arguments in ["", "GROUP modlb", "--frobnicate", "--group", "/does/not/exist", "--check GROUP modlb MASTER 1"] {
        let output = notify(balancer, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == Some(2) && error.contains("see --help"), "{arguments}: {error}");
    }
    assert_eq!(balancer.state(), "standby");
}

#[test]
fn the_script_fails_without_modlb() {
    need_root!();
    let site = Site::new();
    let balancer = &site.balancers[0];
    for arguments in ["GROUP modlb MASTER 150", "--check"] {
        let output = notify(balancer, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == Some(1) && error.contains("no instance"), "{arguments}: {error}");
    }
    let mut nowhere = command(balancer);
    let output = nowhere.args(["--modlb", "/does/not/exist", "GROUP", "modlb", "MASTER", "1"]).output().unwrap();
    assert_eq!(code(&output), Some(1));
    // An instance whose interface is gone receives nothing.
    site.attach("");
    balancer.namespace.ip("link del eth0");
    let output = notify(balancer, "--check");
    assert_eq!(code(&output), Some(1), "{output:?}");
}

/// Where nothing runs there is nothing to take from the other balancer.
#[test]
fn the_script_takes_it_for_success_that_nothing_is_to_stand_by() {
    need_root!();
    let site = Site::new();
    let balancer = &site.balancers[0];
    for state in ["BACKUP", "FAULT", "STOP", "DELETED"] {
        let output = notify(balancer, &format!("GROUP modlb {state} 150"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == Some(0) && error.contains("there is nothing to do"), "{state}: {error}");
    }
}

/// Names are the operator's: none of them is the state of an interface.
#[test]
fn the_check_survives_names() {
    need_root!();
    let site = Site::new();
    site.attach("");
    let balancer = &site.balancers[0];
    let mut text = configuration();
    for (number, name) in ODD_NAMES.iter().enumerate() {
        text += &format!("[[service]]\nname = '''{name}'''\naddress = \"198.51.100.{}\"\n", number + 1);
    }
    balancer.modlb.apply(&text);
    let output = notify(balancer, "--check");
    assert_eq!(code(&output), Some(0), "{output:?}");
    balancer.namespace.ip("link del eth0");
    let output = notify(balancer, "--check");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(code(&output) == Some(1) && error.contains("eth0 (gone)"), "{error}");
}

/// The script handles what keepalived writes after SIGTERM, ignores other groups, and goes on after a failure.
#[test]
fn the_script_takes_states_from_a_fifo() {
    need_root!();
    let site = Site::new();
    site.attach("--standby");
    let balancer = &site.balancers[0];
    let files = tempfile::tempdir().unwrap();
    let fifo = files.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let mut child = command(balancer).args(["--group", "modlb"]).arg(&fifo).stderr(Stdio::null()).spawn().unwrap();
    let mut write = OpenOptions::new().write(true).open(&fifo).unwrap();
    let mut leads_to = |lines: &str, expected: &str| {
        write.write_all(lines.as_bytes()).unwrap();
        wait(|| balancer.state() == expected, || format!("{lines:?} did not lead to {expected}"));
    };
    leads_to("INSTANCE \"modlb4\" MASTER 150\nGROUP \"modlb\" MASTER 0\n", "active");
    leads_to("GROUP \"other\" BACKUP 0\nnonsense\n\nGROUP \"modlb\" WEIRD 0\nGROUP \"modlb\" FAULT 0\n", "standby");
    // In exactly this order.
    leads_to("GROUP \"modlb\" MASTER 0\nGROUP \"modlb\" BACKUP 0\nGROUP \"modlb\" MASTER 0\n", "active");
    balancer.modlb.ok("standby");
    leads_to("INSTANCE \"other\" BACKUP 0\nGROUP \"modlb\" MASTER 0\n", "active");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    leads_to("INSTANCE \"modlb4\" STOP 150\n", "standby");
    drop(write);
    assert!(child.wait().unwrap().success());
}
