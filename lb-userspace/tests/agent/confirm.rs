//! A change that waits for `modlb confirm`, whose waiting process is killed: the agent takes its place.

use nix::sys::signal::{Signal, kill};

use crate::{
    need_root,
    process::{Agent, on_eth0},
    support::{modlb::Modlb, network::Network, wait::wait},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// Applies one server instead of two, to be confirmed within these seconds, and kills the process that waits.
fn apply_and_kill(network: &Network, seconds: u32) {
    let modlb = &network.modlb;
    let file = modlb.file("new.toml", &network.configuration(1, HTTP));
    modlb.ok(&format!("apply {} --confirm {seconds}", file.display()));
    if let Some(waiter) = modlb.waiter() {
        // It may have rolled back by now.
        let _ = kill(waiter, Signal::SIGKILL);
    }
    wait(|| modlb.waiter().is_none(), || "it is still there".to_owned());
}

fn servers(modlb: &Modlb) -> u64 {
    modlb.json("status")["services"][0]["n"].as_u64().unwrap()
}

fn is_unconfirmed(modlb: &Modlb) -> bool {
    !modlb.json("status")["unconfirmed"].is_null()
}

#[test]
fn the_agent_rolls_back_what_a_killed_process_left() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    apply_and_kill(&network, 5);
    agent.logs("a change was not confirmed, and has been rolled back");
    wait(|| !is_unconfirmed(modlb), || modlb.ok("status"));
    assert_eq!(servers(modlb), 2);
    // Damaged after the agent has read it.
    apply_and_kill(&network, 20);
    agent.logs("the agent rolls the change back in ");
    wait(|| agent.log().matches("the agent rolls the change back in ").count() == 2, || agent.log());
    assert!(modlb.ok("status").contains("unconfirmed, rolls back in "));
    let record = std::path::Path::new("/run/modlb").join(format!("{}.pending", modlb.instance()));
    std::fs::write(&record, "").unwrap();
    wait(|| servers(modlb) == 2, || agent.log());
    wait(|| !record.exists(), || agent.log());
    // An agent that starts later finds it as well.
    agent.stop();
    apply_and_kill(&network, 600);
    assert!(modlb.ok("status").contains("nothing rolls it back"));
    let agent = Agent::start(modlb, &file, "");
    agent.logs("the agent rolls the change back in ");
    modlb.ok("confirm --undo");
    assert!(!is_unconfirmed(modlb) && servers(modlb) == 2);
}

#[test]
fn the_agent_leaves_a_confirmed_change_alone() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (_file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    apply_and_kill(&network, 600);
    agent.logs("the agent rolls the change back in ");
    modlb.ok("confirm");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(servers(modlb), 1);
    assert!(!agent.log().contains("has been rolled back"), "{}", agent.log());
}
