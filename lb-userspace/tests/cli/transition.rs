//! `modlb transition`.

use std::fs;

use crate::{fails, modlb, modlb_with, ok, stderr, stdout};

const OLD: &str = r#"
[[service]]
name = "web"
address = "203.0.113.10"
protocol = "tcp"
port = 443
previous = [["10.0.0.9"]]
[[service.server]]
address = "10.0.0.11"
[[service.server]]
address = "10.0.0.12"
weight = 2
mac = "02:00:00:00:00:12"
[[service.server]]
address = "10.0.0.13"
state = "down"
[[service]]
name = "dns"
address = "2001:db8:f00::53"
[[service.server]]
address = "2001:db8::11"
"#;

/// With one server more, in an order and with comments that stay.
const NEW: &str = r#"# Servers of the new rack.
[[service]]
name = "dns"
address = "2001:db8:f00::53"
[[service.server]]
address = "2001:db8::11"
[[service.server]]
address = "2001:db8::12" # new

[[service]]
port = 443 # https
name = "web"
protocol = "tcp"
address = "203.0.113.10"
# The servers:
[[service.server]]
address = "10.0.0.11"
[[service]]
name = "other"
address = "203.0.113.99"
"#;

const NEXT: &str = r#"# Servers of the new rack.
[[service]]
name = "dns"
address = "2001:db8:f00::53"
previous = [["2001:db8::11"]]
[[service.server]]
address = "2001:db8::11"
[[service.server]]
address = "2001:db8::12" # new

[[service]]
port = 443 # https
name = "web"
protocol = "tcp"
address = "203.0.113.10"
previous = [
    ["10.0.0.11", "10.0.0.12 weight 2 mac 02:00:00:00:00:12", "10.0.0.13 down"],
    ["10.0.0.9"],
]
# The servers:
[[service.server]]
address = "10.0.0.11"
[[service]]
name = "other"
address = "203.0.113.99"
"#;

/// Files of a temporary directory, by name.
fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, impl Fn(&str) -> String + use<>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let root = directory.path().to_owned();
    (directory, move |name: &str| root.join(name).display().to_string())
}

#[test]
fn a_transition_begins_and_ends() {
    let (_directory, path) = files(&[("old", OLD), ("new", NEW), ("next", NEXT)]);
    assert_eq!(ok(&["transition", &path("old"), &path("new")]), NEXT);
    ok(&["check", &path("next")]);
    assert_eq!(ok(&["transition", "--end", &path("next")]), NEW);
    // From standard input, as `modlb export` prints it.
    assert_eq!(stdout(&modlb_with(&["transition", "-", &path("new")], OLD)), NEXT);
    assert_eq!(stdout(&modlb_with(&["transition", &path("old"), "-"], NEW)), NEXT);
    assert_eq!(stdout(&modlb_with(&["transition", "--end", "-"], NEXT)), NEW);
}

#[test]
fn where_nothing_differs_the_text_stays() {
    let (_directory, path) = files(&[("new", NEW)]);
    for arguments in [&["transition", &path("new"), &path("new")][..], &["transition", "--end", &path("new")]] {
        let output = modlb(arguments);
        assert_eq!(stdout(&output), NEW);
        assert!(stderr(&output).contains("is printed as it is"), "{}", stderr(&output));
    }
    let output = modlb(&["transition", "--announce", &path("new"), &path("new")]);
    assert_eq!(stdout(&output), NEW);
    assert!(stderr(&output).contains("is printed as it is"), "{}", stderr(&output));
}

/// The servers of NEW stand in OLD as a previous list, so that hosts know them before they are in force.
#[test]
fn a_list_is_announced() {
    let (_directory, path) = files(&[("old", OLD), ("new", NEW)]);
    let announced = ok(&["transition", "--announce", &path("old"), &path("new")]);
    let wanted = OLD
        .replace("previous = [[\"10.0.0.9\"]]", "previous = [\n    [\"10.0.0.11\"],\n    [\"10.0.0.9\"],\n]")
        .replace("53\"\n", "53\"\nprevious = [[\"2001:db8::11\", \"2001:db8::12\"]]\n");
    assert_eq!(announced, wanted);
    let (_directory, path) = files(&[("announced", &announced), ("new", NEW)]);
    assert_eq!(ok(&["transition", &path("announced"), &path("new")]), NEXT, "as without an announcement");
    assert!(fails(&["transition", "--announce", "--end", &path("new")], 2).contains("--announce"));
}

#[test]
fn both_files_are_checked_first() {
    let bad = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprevious = [[]]\n";
    let (_directory, path) = files(&[("old", OLD), ("new", NEW), ("bad", bad), ("broken", "x = ")]);
    let error = fails(&["transition", &path("bad"), &path("broken")], 1);
    let line = format!("{}:4:13: service web: list 1 of previous has no server; leave it out\n", path("bad"));
    assert!(error.contains(&line) && error.contains(&format!("{}:1:", path("broken"))), "{error}");
    for (arguments, culprit) in [
        ([path("bad"), path("new")], "bad:4:13"),
        ([path("old"), path("bad")], "bad:4:13"),
        (["--end".to_owned(), path("bad")], "bad:4:13"),
        ([path("old"), path("none")], "none: No such file"),
        (["-".to_owned(), "-".to_owned()], "cannot both be standard input"),
    ] {
        let [first, second] = &arguments;
        let output = modlb(&["transition", first, second]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
        assert!(stderr(&output).contains(culprit), "{}", stderr(&output));
    }
}
