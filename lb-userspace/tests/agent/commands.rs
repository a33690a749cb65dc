//! Ordinary commands while an agent runs.

use crate::{
    need_root,
    process::{Agent, on_eth0, replace, server, wait},
    support::network::{Network, server_address},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn they_keep_working_and_are_noticed() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    // A server that a command adds is kept true as well.
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
    // Another interface, by hand, and back.
    network.gateway.ip("link add eth9 address 02:00:00:00:09:09 type veth peer name peer9");
    network.gateway.ip("link set eth9 up");
    modlb.ok("attach eth9");
    assert_eq!(modlb.json("status")["interfaces"].as_array().unwrap().len(), 2);
    modlb.ok("detach eth9");
    agent.logs("a command detached from eth9");
    assert_eq!(server(modlb, "web4", third)["state"], "up");

    // The whole instance goes, and stays away until the file changes.
    modlb.ok("detach");
    agent.logs("the instance was removed by a command");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!modlb.pins().exists());
    replace(&file, &on_eth0(&network.configuration(1, HTTP)));
    wait(|| modlb.output("status").status.success(), || agent.log());
    assert_eq!(modlb.json("status")["services"][0]["n"], 1);
    // One that is made by hand is followed, too.
    modlb.ok("detach");
    modlb.attach("eth0", &network.configuration(2, HTTP));
    agent.logs("another instance has replaced this one\n");
}
