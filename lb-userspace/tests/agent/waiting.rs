//! A file that cannot be put in force for now is tried again until it is.

use std::fs::File;

use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::Signal,
};

use crate::{
    need_root,
    process::{Agent, not_in_force, on_eth0, replace, server, servers},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// The lock of the instance, as a command has it.
fn lock(network: &Network) -> Flock<File> {
    Flock::lock(File::open(network.modlb.pins()).unwrap(), FlockArg::LockExclusive).unwrap()
}

fn waits(network: &Network, agent: &Agent, reason: &str) {
    let has = || {
        let found = not_in_force(&network.modlb);
        found["state"] == "waiting" && found["reason"].as_str().is_some_and(|text| text.contains(reason))
    };
    wait(has, || format!("{}\n{}", not_in_force(&network.modlb), agent.log()));
}

#[test]
fn a_change_that_waits_for_confirmation_is_waited_for() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = |servers| on_eth0(&network.configuration(servers, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text(1), "");
    for confirm in ["confirm", "confirm --undo"] {
        let by_hand = modlb.file("by-hand.toml", &text(2));
        modlb.ok(&format!("apply {} --confirm 3600", by_hand.display()));
        replace(&file, &text(3));
        waits(&network, &agent, "a change is not confirmed");
        let shown = modlb.ok("status");
        assert!(shown.contains("is not in force (tried again): a change is not confirmed"), "{shown}");
        agent.notifies("waiting: a change is not confirmed");
        assert_eq!(servers(modlb), 2);
        modlb.ok(confirm);
        wait(|| servers(modlb) == 3 && not_in_force(modlb).is_null(), || agent.log());
        // SIGHUP is kept in mind in the same way.
        modlb.ok(&format!("apply {} --confirm 3600", by_hand.display()));
        agent.signal(Signal::SIGHUP);
        waits(&network, &agent, "a change is not confirmed");
        modlb.ok(confirm);
        wait(|| servers(modlb) == 3 && not_in_force(modlb).is_null(), || agent.log());
        replace(&file, &text(1));
        wait(|| servers(modlb) == 1, || agent.log());
    }
    // It was reported once each time, however often it was tried.
    assert!(agent.count("is not put in force yet") <= 4, "{}", agent.log());
}

/// While a command has the lock, the agent hears of everything else, and of its end.
#[test]
fn the_lock_is_waited_for_without_standing_still() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = |servers| on_eth0(&network.configuration(servers, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text(1), "");
    let held = lock(&network);
    replace(&file, &text(3));
    waits(&network, &agent, "another modlb command is changing instance");
    // A better file in the meantime.
    replace(&file, &text(2));
    // An event of the network.
    network.gateway.ip("link set eth0 down");
    agent.logs("eth0 is down");
    network.gateway.ip("link set eth0 up");
    agent.logs("eth0 is up");
    drop(held);
    wait(|| servers(modlb) == 2 && not_in_force(modlb).is_null(), || agent.log());

    let held = lock(&network);
    replace(&file, &text(3));
    waits(&network, &agent, "another modlb command is changing instance");
    let start = std::time::Instant::now();
    agent.stop();
    assert!(start.elapsed().as_secs() < 20, "it waited for the lock");
    // An agent that starts meanwhile is ready, and waits as well.
    let agent = Agent::start(modlb, &file, "");
    waits(&network, &agent, "another modlb command is changing instance");
    let start = std::time::Instant::now();
    agent.stop();
    assert!(start.elapsed().as_secs() < 20, "it waited for the lock");
    let agent = Agent::start(modlb, &file, "");
    drop(held);
    wait(|| servers(modlb) == 3 && not_in_force(modlb).is_null(), || agent.log());
}

/// A file that has something wrong with it is not tried again until it changes.
#[test]
fn a_refused_file_waits_for_nothing() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(1, HTTP)), "");
    replace(&file, &on_eth0(&network.configuration(1, "protocol = \"tcp\"\nport = 0")));
    wait(|| not_in_force(modlb)["state"] == "refused", || agent.log());
    // A command's change stays, also when the agent starts again.
    let first = server_address(false, 0);
    modlb.ok(&format!("server down web4 {first}"));
    agent.logs("a command changed the configuration");
    agent.stop();
    let agent = Agent::start(modlb, &file, "");
    wait(|| not_in_force(modlb)["state"] == "refused", || agent.log());
    assert_eq!(server(modlb, "web4", first)["state"], "down");
    assert_eq!(agent.count("is not put in force"), 1);
    replace(&file, &on_eth0(&network.configuration(2, HTTP)));
    wait(|| servers(modlb) == 2 && not_in_force(modlb).is_null(), || agent.log());
    // Of an agent that was killed, `status` knows nothing more.
    let mut agent = agent;
    agent.signal(Signal::SIGKILL);
    agent.end();
    assert!(modlb.json("status")["agent"].is_null());
}
