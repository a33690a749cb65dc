//! Interfaces that appear, disappear, and change.

use crate::{
    load::clients,
    need_root,
    process::{Agent, on_eth0},
    support::{network::Network, wait::wait},
};

/// Makes the gateway's interface again, as a reloaded driver does.
fn make(network: &Network) {
    let gateway = network.gateway.name();
    network
        .switch
        .ip(&format!("link add v-gateway type veth peer name eth0 netns {gateway} address 02:00:00:00:00:01"));
    network.switch.ip("link set v-gateway master br0 up");
    network.gateway.ip("link set eth0 up");
    network.gateway.ip("addr add 10.0.0.1/24 dev eth0");
    network.gateway.ip("addr add fd00::1/64 dev eth0 nodad");
    network.gateway.run("ethtool", "-K eth0 tx off");
}

fn names(network: &Network) -> Vec<String> {
    let status = network.modlb.json("status");
    let interfaces = status["interfaces"].as_array().unwrap().iter();
    interfaces.map(|interface| interface["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_interface_that_is_made_again_is_attached_again() {
    need_root!();
    let network = Network::new(2, 2);
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(2, "")), "--mode generic");
    let before = clients(&network);
    for round in 0..3 {
        network.gateway.ip("link del eth0");
        agent.logs("eth0 is gone");
        wait(|| names(&network).is_empty(), || format!("{:?}", names(&network)));
        make(&network);
        wait(|| names(&network) == ["eth0"], || agent.log());
        let after = clients(&network);
        assert!(before.iter().zip(&after).all(|(a, b)| a.home == b.home), "round {round}");
    }
    agent.stop();
}

/// The interface stays attached under a new name, and the program learns a new MAC.
#[test]
fn an_interface_stays_attached_when_it_changes() {
    need_root!();
    let network = Network::new(2, 2);
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(2, "")), "--mode generic");
    let program = network.modlb.json("status")["interfaces"][0]["program_id"].clone();
    network.gateway.ip("link set eth0 down");
    agent.logs("eth0 is down");
    network.gateway.ip("link set eth0 name wan0");
    agent.logs("eth0 was renamed to wan0; the instance stays attached");
    network.gateway.ip("link set wan0 up");
    agent.logs("wan0 is up");
    network.gateway.ip("addr replace fd00::1/64 dev wan0 nodad");
    assert_eq!(names(&network), ["wan0"]);
    assert_eq!(network.modlb.json("status")["interfaces"][0]["program_id"], program);
    let before = clients(&network);

    network.gateway.ip("link set wan0 address 02:00:00:00:00:99");
    agent.logs("wan0 has a new MAC; its program was replaced");
    network.client.ip("neigh flush dev eth0");
    assert!(before.iter().zip(&clients(&network)).all(|(a, b)| a.home == b.home));
    // The file still says eth0, which does not make the agent leave wan0.
    agent.signal(nix::sys::signal::Signal::SIGHUP);
    agent.logs("interface eth0 does not exist yet");
    agent.notifies("READY=1");
    assert_eq!(names(&network), ["wan0"]);
}

/// The agent waits for a missing interface, and holds up nothing that systemd starts after it.
#[test]
fn the_agent_waits_for_a_missing_interface() {
    need_root!();
    let network = Network::new(1, 1);
    network.gateway.ip("link del eth0");
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(1, "")));
    let agent = Agent::spawn(&network.modlb, &file, "--mode generic");
    let said = agent.notifies("READY=1");
    assert!(said.contains("no instance; waiting for eth0"), "{said}");
    assert!(!network.modlb.pins().exists());
    assert!(!agent.log().contains("is in force"), "{}", agent.log());
    let error = network.modlb.fails("status");
    assert!(error.contains("is running yet") && error.contains("waiting for eth0"), "{error}");
    make(&network);
    agent.logs("is in force");
    assert_eq!(names(&network), ["eth0"]);
    assert_eq!(network.modlb.json("status")["agent"]["not_in_force"], serde_json::Value::Null);
    // The interface's addresses came after it, so the server could only be found later.
    wait(|| network.modlb.json("servers")[0]["state"] == "up", || agent.log());
}
