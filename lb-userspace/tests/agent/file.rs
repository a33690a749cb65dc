//! The agent's file, and what it reports to systemd.

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, becomes, in_force, on_eth0, replace, server},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// The agent makes the instance, keeps it as the file says, and leaves it in place when it ends.
#[test]
fn the_instance_follows_the_file() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = on_eth0(&network.configuration(2, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text, "");
    let status = modlb.json("status");
    assert_eq!(status["interfaces"][0]["name"], "eth0");
    assert_eq!((&status["services"][0]["n"], &status["state"]), (&2.into(), &"active".into()));

    // The file is replaced by a rename.
    replace(&file, &on_eth0(&network.configuration(3, HTTP)));
    agent.notifies("RELOADING=1\nMONOTONIC_USEC=");
    let said = agent.notifies("READY=1");
    assert!(said.contains("STATUS=2 services, 6 servers: 6 take flows\n"), "{said}");
    assert_eq!(modlb.json("status")["services"][0]["n"], 3);

    // An invalid file is refused as a whole.
    let before = in_force(modlb);
    replace(&file, &on_eth0(&network.configuration(1, "protocol = \"tcp\"\nport = 0\nformula = \"2-tuple\"")));
    let said = agent.notifies("refused");
    assert!(said.contains("port 0 is not from 1 to 65535") && said.contains("2-tuple"), "{said}");
    agent.logs("service web4: formula \"2-tuple\" is not known");
    assert_eq!(in_force(modlb), before);
    // So is a valid one that exceeds the capacity. The MACs differ, so the services share no slots.
    let large = |number: u8, weight: u32| {
        format!(
            "[[service]]\nname = \"s{number}\"\naddress = \"203.0.113.{number}\"\n[[service.server]]\naddress = \
             \"10.0.0.11\"\nmac = \"02:00:00:00:09:0{number}\"\nweight = {weight}\n"
        )
    };
    let large: String = (1..=5).map(|number| large(number, if number == 5 { 1 } else { 65_536 })).collect();
    replace(&file, &large);
    agent.notifies("--max-slots 262145");
    assert_eq!(in_force(modlb), before);
    // The good one again.
    replace(&file, &text);
    wait(|| modlb.json("status")["services"][0]["n"] == 2, || agent.log());
    agent.notifies("STATUS=2 services, 4 servers: 4 take flows\n");

    let program = modlb.json("status")["interfaces"][0]["program_id"].clone();
    agent.stop();
    assert_eq!(modlb.json("status")["interfaces"][0]["program_id"], program);
    // Nor does the next agent replace the program.
    let agent = Agent::start(modlb, &file, "");
    assert!(agent.log().contains("is in force already"), "{}", agent.log());
    assert_eq!(modlb.json("status")["interfaces"][0]["program_id"], program);
}

/// Changes by commands stay until the file changes or SIGHUP asks for it; also when the agent is started again.
#[test]
fn changes_by_hand_stay() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = on_eth0(&network.configuration(3, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text, "");
    let (first, second) = (server_address(false, 0), server_address(false, 1));
    modlb.ok(&format!("server down web4 {first}"));
    agent.logs("a command changed the configuration");
    let down = server(modlb, "web4", first);
    assert!(down["state"] == "down" && down["since"].as_u64().unwrap() > 1_700_000_000, "{down}");
    agent.stop();
    let agent = Agent::start(modlb, &file, "");
    assert_eq!(server(modlb, "web4", first)["state"], "down");
    // Writing the same text again is no change.
    replace(&file, &text);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(server(modlb, "web4", first)["state"], "down");
    agent.signal(Signal::SIGHUP);
    becomes(modlb, "web4", first, "up");

    modlb.ok(&format!("server down web4 {first}"));
    let other =
        text.replacen(&format!("address = \"{second}\""), &format!("address = \"{second}\"\nstate = \"down\""), 1);
    replace(&file, &other);
    becomes(modlb, "web4", second, "down");
    assert_eq!(server(modlb, "web4", first)["state"], "up");
    // Started with another file than the one in force, the agent puts it in force.
    agent.stop();
    replace(&file, &text);
    let _agent = Agent::start(modlb, &file, "");
    assert_eq!(server(modlb, "web4", second)["state"], "up");
}

/// Without an instance a bad file ends the agent; with one, the agent keeps it as it is.
#[test]
fn a_bad_file_at_the_start_is_fatal_only_without_an_instance() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let file = modlb.file("bad.toml", "interfaces = [\"eth0\"]\n[[service]]\nname = \"a\"\naddress = \"x\"\n");
    let error = modlb.fails(&format!("agent --listen none --config {}", file.display()));
    assert!(error.contains("service a: address \"x\" is not an IP address"), "{error}");
    assert!(!modlb.pins().exists());
    modlb.attach("eth0", &network.configuration(1, HTTP));
    let agent = Agent::start(modlb, &file, "");
    agent.logs("is not put in force");
    assert_eq!(modlb.json("status")["services"][0]["name"], "web4");
}

/// Two agents with two files would undo each other's changes.
#[test]
fn a_second_agent_is_refused() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let (file, mut agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(1, HTTP)), "");
    let error = modlb.fails(&format!("agent --listen none --config {}", file.display()));
    assert!(error.starts_with(&format!("another agent manages instance {}", modlb.instance())), "{error}");
    assert!(error.contains("(process "), "{error}");
    // A killed agent does not block the next.
    agent.signal(Signal::SIGKILL);
    agent.end();
    Agent::start(modlb, &file, "").stop();
}

/// Anybody can bind the name of a socket, and a file of an agent that was killed may be left.
#[test]
fn another_user_cannot_keep_an_agent_from_starting() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let _bound = network.gateway.within(|| {
        use std::os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixDatagram},
        };
        let name = SocketAddr::from_abstract_name(format!("modlb-agent-{}", modlb.instance())).unwrap();
        UnixDatagram::bind_addr(&name).unwrap()
    });
    let (file, mut agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(1, HTTP)), "");
    let lock = std::path::Path::new("/run/modlb").join(format!("{}.agent", modlb.instance()));
    agent.signal(Signal::SIGKILL);
    agent.end();
    assert!(lock.exists());
    // The name belongs to the machine, as the pins do: an agent elsewhere would manage the same instance.
    let agent = Agent::start(modlb, &file, "");
    let elsewhere = network
        .client
        .command(env!("CARGO_BIN_EXE_modlb"))
        .args(["--instance", modlb.instance(), "agent", "--listen", "none", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("another agent manages instance"));
    agent.stop();
    assert!(!lock.exists());
    // `detach` leaves nothing of a killed agent either, but leaves a running one alone.
    let mut agent = Agent::start(modlb, &file, "");
    modlb.ok("detach");
    assert!(lock.exists());
    agent.signal(Signal::SIGHUP);
    wait(|| modlb.output("status").status.success(), || "the agent does not make it again".to_owned());
    agent.signal(Signal::SIGKILL);
    agent.end();
    modlb.ok("detach");
    assert!(!lock.exists());
}

/// The agent listens before it does anything else.
#[test]
fn an_address_in_use_ends_the_agent_before_it_changes_anything() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let file = modlb.file("agent.toml", &on_eth0(&network.configuration(1, HTTP)));
    let taken = network.gateway.within(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap();
    let error = modlb.fails(&format!("agent --listen {address} --config {}", file.display()));
    assert!(
        error.contains(&format!("cannot listen on {address}; choose another")) && error.contains("`--listen none`"),
        "{error}"
    );
    assert!(!modlb.pins().exists());
}
