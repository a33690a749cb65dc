//! Ordinary commands while an agent runs.

use crate::{
    need_root,
    process::{Agent, on_eth0, replace, server},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn commands_keep_working_and_the_agent_notices_them() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    // The agent looks after a server that a command adds as well.
    let third = server_address(false, 2);
    modlb.ok(&format!("server add web4 {third}"));
    agent.logs("a command changed the configuration");
    wait(
        || network.gateway.run("ip", "neigh show 10.0.0.13 dev eth0").contains("managed"),
        || network.gateway.run("ip", "neigh show"),
    );
    modlb.ok(&format!("server remove web4 {third}"));
    wait(
        || !network.gateway.run("ip", "neigh show 10.0.0.13 dev eth0").contains("managed"),
        || network.gateway.run("ip", "neigh show"),
    );
    modlb.apply(&network.configuration(3, HTTP));
    assert_eq!(modlb.json("status")["services"][0]["n"], 3);
    modlb.ok("standby");
    assert_eq!(modlb.json("status")["state"], "standby");
    modlb.ok("activate");
    modlb.ok("upgrade");
    // Another interface is attached by hand, and detached.
    network.gateway.ip("link add eth9 address 02:00:00:00:09:09 type veth peer name peer9");
    network.gateway.ip("link set eth9 up");
    // Without a program there, a veth takes no frames that XDP redirects to its other end.
    network.pass(true);
    modlb.ok("attach eth9");
    assert_eq!(modlb.json("status")["interfaces"].as_array().unwrap().len(), 2);
    // A busy agent looks less often than commands can follow each other.
    agent.logs("a command attached to eth9");
    modlb.ok("detach eth9");
    agent.logs("a command detached from eth9");
    assert_eq!(server(modlb, "web4", third)["state"], "up");

    // The whole instance is removed, and stays so until the file changes.
    modlb.ok("detach");
    agent.logs("the instance was removed by a command");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!modlb.pins().exists());
    replace(&file, &on_eth0(&network.configuration(1, HTTP)));
    wait(|| modlb.output("status").status.success(), || agent.log());
    assert_eq!(modlb.json("status")["services"][0]["n"], 1);
    // The agent also follows an instance that is made by hand.
    modlb.ok("detach");
    modlb.attach("eth0", &network.configuration(2, HTTP));
    // On a busy machine the agent may have seen the removal first.
    let follows = || {
        let log = agent.log();
        log.contains("another instance has replaced this one\n")
            || log.contains("an instance was made by a command; the agent follows it\n")
    };
    wait(follows, || agent.log());
}
