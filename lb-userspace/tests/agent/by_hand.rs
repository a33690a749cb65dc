//! Servers that are taken down by hand while an agent runs.

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, becomes, on_eth0, replace, server},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// A file that differs from others only for the agent.
fn version(network: &Network, number: u32) -> String {
    format!("# version {number}\n{}", on_eth0(&network.configuration(2, HTTP)))
}

#[test]
fn a_server_comes_back_when_its_time_is_over() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &version(&network, 1), "");
    for (service, six) in [("web4", false), ("web6", true)] {
        let address = server_address(six, 0);
        let said = modlb.ok(&format!("server down {service} {address} --for 1h"));
        assert!(said.contains(&format!("~ server {service} {address}: down by hand, for another ")), "{said}");
        let down = server(modlb, service, address);
        assert_eq!((&down["state"], &down["by_hand"]), (&"down".into(), &"time".into()), "{down}");
        let left = down["until"].as_u64().unwrap() - down["since"].as_u64().unwrap();
        assert!((3_590..=3_610).contains(&left), "{down}");
    }
    let address = server_address(false, 0);
    // Files do not bring it back.
    replace(&file, &version(&network, 2));
    agent.logs(&format!("server {address} stays down: by hand, for another "));
    assert_eq!(server(modlb, "web4", address)["state"], "down");
    // Neither does another agent. A shorter time may be said at any time.
    agent.stop();
    let agent = Agent::start(modlb, &file, "");
    assert_eq!(server(modlb, "web4", address)["state"], "down");
    modlb.ok(&format!("server down web4 {address} --for 2s"));
    becomes(modlb, "web4", address, "up");
    agent.logs(&format!("web4 {address}: up, was down"));
    let up = server(modlb, "web4", address);
    assert_eq!((up.get("by_hand"), up.get("until")), (None, None), "{up}");
    assert_eq!(server(modlb, "web6", server_address(true, 0))["state"], "down");
    agent.stop();
}

#[test]
fn a_sticky_one_outlasts_the_agent_and_files_say_whom_they_bring_back() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (file, mut agent) = Agent::with_file(modlb, &version(&network, 1), "");
    let [first, second] = [0, 1].map(|number| server_address(false, number));
    modlb.ok(&format!("server down web4 {first} --sticky"));
    modlb.ok(&format!("server down web4 {second}"));
    agent.signal(Signal::SIGKILL);
    agent.end();
    let agent = Agent::start(modlb, &file, "");
    assert_eq!([first, second].map(|address| server(modlb, "web4", address)["state"].clone()), ["down", "down"]);
    replace(&file, &version(&network, 2));
    agent.logs(&format!("! brings back web4 {second}, which was taken down by hand "));
    becomes(modlb, "web4", second, "up");
    agent.logs(&format!("server {first} stays down: by hand, until `modlb server up`"));
    assert_eq!(server(modlb, "web4", first)["state"], "down");
    // It may have died meanwhile: it takes no flows when it is taken up before it answers.
    modlb.ok(&format!("server up web4 {first}"));
    wait(|| server(modlb, "web4", first)["state"] != "down", || server(modlb, "web4", first).to_string());
    agent.stop();
}
