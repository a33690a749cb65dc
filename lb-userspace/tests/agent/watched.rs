//! Every way in which a file comes to have another text.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    need_root,
    process::{Agent, on_eth0, replace, servers},
    support::{network::Network, wait::wait},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// Waits until the first service has this many servers.
fn becomes(network: &Network, agent: &Agent, number: u64) {
    wait(|| servers(&network.modlb) == number, || format!("not {number}:\n{}", agent.log()));
}

#[test]
fn a_busy_neighbour_does_not_delay_the_file() {
    need_root!();
    let network = Network::new(3, 1);
    let (file, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    let (over, neighbour) = (AtomicBool::new(false), file.with_extension("log"));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::write(&neighbour, "busy").unwrap();
                thread::sleep(Duration::from_millis(20));
            }
        });
        let followed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            replace(&file, &on_eth0(&network.configuration(3, HTTP)));
            becomes(&network, &agent, 3);
        }));
        over.store(true, Ordering::Relaxed);
        followed.unwrap();
    });
}

/// A link to a file in another directory, as packages and ConfigMaps have them.
#[test]
fn links_are_followed() {
    need_root!();
    let network = Network::new(3, 1);
    let text = |servers| on_eth0(&network.configuration(servers, HTTP));
    let (directory, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, file) = (directory.path().join("modlb.toml"), target.path().join("real.toml"));
    fs::write(&file, text(1)).unwrap();
    symlink(&file, &link).unwrap();
    let agent = Agent::start(&network.modlb, &link, "");
    // The target is written in place, and replaced.
    fs::write(&file, text(2)).unwrap();
    becomes(&network, &agent, 2);
    replace(&file, &text(3));
    becomes(&network, &agent, 3);
    // The link leads elsewhere.
    let other = target.path().join("other.toml");
    fs::write(&other, text(2)).unwrap();
    symlink(&other, directory.path().join("new")).unwrap();
    fs::rename(directory.path().join("new"), &link).unwrap();
    becomes(&network, &agent, 2);
}

#[test]
fn directories_are_swapped_and_made_again() {
    need_root!();
    let network = Network::new(3, 1);
    let text = |servers| on_eth0(&network.configuration(servers, HTTP));
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    let make = |name: &str, servers| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("modlb.toml"), text(servers)).unwrap();
    };
    make("live", 1);
    let agent = Agent::start(&network.modlb, &at("live").join("modlb.toml"), "");
    make("next", 2);
    fs::rename(at("live"), at("former")).unwrap();
    fs::rename(at("next"), at("live")).unwrap();
    becomes(&network, &agent, 2);
    fs::remove_dir_all(at("live")).unwrap();
    agent.logs("No such file or directory (os error 2); what is in force stays");
    make("live", 3);
    becomes(&network, &agent, 3);
    agent.logs("can be read again");
}

/// What cannot be read changes nothing and is reported once. When the same text is back, that is no change.
#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = on_eth0(&network.configuration(2, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text, "");
    let generation = || modlb.json("status")["digest"].clone();
    let down = crate::support::network::server_address(false, 0);
    modlb.ok(&format!("server down web4 {down}"));
    agent.logs("a command changed the configuration");
    let before = generation();
    type Way = (&'static str, fn(&std::path::Path));
    let ways: [Way; 5] = [
        ("No such file", |_| {}),
        ("it is no regular file", |path| fs::create_dir(path).unwrap()),
        ("it is not UTF-8 text", |path| fs::write(path, b"\xff\xfe").unwrap()),
        ("it is larger than 64 MiB", |path| fs::File::create(path).unwrap().set_len(65 << 20).unwrap()),
        ("Too many levels of symbolic links", |path| symlink(path, path).unwrap()),
    ];
    for (why, make) in ways {
        fs::remove_file(&file).unwrap();
        make(&file);
        agent.notifies(&format!("refused: {why}"));
        assert_eq!(modlb.json("status")["agent"]["not_in_force"]["state"], "refused");
        assert_eq!(generation(), before);
        let _ = fs::remove_dir(&file);
        replace(&file, &text);
        wait(|| modlb.json("status")["agent"]["not_in_force"].is_null(), || agent.log());
        assert_eq!(generation(), before, "{}", agent.log());
    }
    replace(&file, &on_eth0(&network.configuration(3, HTTP)));
    becomes(&network, &agent, 3);
}
