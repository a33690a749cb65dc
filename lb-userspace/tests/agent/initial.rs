//! New servers that are down until their check passes.

use std::thread;

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, becomes, on_eth0, replace, server},
    support::{
        network::{Network, SERVICES, name, server_address},
        wait::wait,
    },
};

const CHECK: &str = "check = { kind = \"tcp\", port = 80, interval = 0.4, timeout = 0.3, fall = 2, min_up = 0";

fn down() -> String {
    format!("{CHECK}, initial = \"down\" }}")
}

fn failing_for(network: &Network, reason: &str, number: u8) {
    for service in SERVICES {
        let address = server_address(service.is_ipv6(), number);
        // It may not have been added yet.
        wait(|| network.modlb.ok("servers").contains(&format!("{address} ")), || network.modlb.ok("servers"));
        let shown = || server(&network.modlb, name(service), address);
        wait(|| shown()["state"] == "failing" && shown()["reason"] == reason, || format!("{}", shown()));
    }
}

fn up(network: &Network, number: u8) {
    for service in SERVICES {
        becomes(&network.modlb, name(service), server_address(service.is_ipv6(), number), "up");
    }
}

#[test]
fn a_new_server_is_down_until_its_check_passes() {
    need_root!();
    let network = Network::new(3, 1);
    // Without an agent it stays so.
    network.modlb.attach("eth0 --mode generic", &network.configuration(1, &down()));
    failing_for(&network, "not checked yet", 0);
    let exported = network.modlb.ok("export");
    assert!(exported.contains("initial = \"down\"") && !exported.contains("state ="), "{exported}");
    let (file, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(1, &down())), "");
    up(&network, 0);
    // A server that the file adds: a dead one gets the reason of its first attempt.
    let dead = network.server_namespaces().nth(1).unwrap();
    dead.run("nft", "add table inet closed");
    dead.run("nft", "add chain inet closed in { type filter hook input priority 0 ; }");
    dead.run("nft", "add rule inet closed in tcp dport 80 reject with tcp reset");
    replace(&file, &on_eth0(&network.configuration(2, &down())));
    failing_for(&network, "connection refused", 1);
    dead.run("nft", "delete table inet closed");
    up(&network, 1);
    // One that a command adds.
    for service in SERVICES {
        network.modlb.ok(&format!("server add {} {}", name(service), server_address(service.is_ipv6(), 2)));
    }
    up(&network, 2);
    // What is known outlives the agent, even if it is killed.
    agent.signal(Signal::SIGKILL);
    drop(agent);
    let agent = Agent::start(&network.modlb, &file, "");
    thread::sleep(std::time::Duration::from_millis(500));
    for service in SERVICES {
        let shown = server(&network.modlb, name(service), server_address(service.is_ipv6(), 0));
        assert_eq!(shown["state"], "up", "{shown}\n{}", agent.log());
    }
}

/// By default, a new server is up at once, and a check that is added later takes nobody down by itself.
#[test]
fn servers_that_are_there_stay_up() {
    need_root!();
    let network = Network::new(1, 1);
    network.modlb.attach("eth0 --mode generic", &network.configuration(1, &format!("{CHECK} }}")));
    for text in [down(), String::new(), down()] {
        for service in SERVICES {
            let shown = server(&network.modlb, name(service), server_address(service.is_ipv6(), 0));
            assert_eq!(shown["state"], "up", "{shown}");
        }
        network.modlb.apply(&network.configuration(1, &text));
    }
}

/// Where too few are left, those that have not been checked serve, as `min_up` says.
#[test]
fn min_up_counts_servers_that_are_not_checked() {
    need_root!();
    let network = Network::new(1, 1);
    let check = down().replace("min_up = 0", "min_up = 1");
    network.modlb.attach("eth0 --mode generic", &network.configuration(1, &check));
    let shown = server(&network.modlb, "web4", server_address(false, 0));
    assert_eq!(shown["state"], "up");
    assert_eq!(shown["reason"], "its check fails (not checked yet), but too many do (min_up)");
}
