//! The file, and what systemd is told of it.

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, becomes, on_eth0, replace, server, wait},
    support::network::{Network, server_address},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// It makes the instance, keeps it to the file, and leaves it when it ends.
#[test]
fn from_beginning_to_end() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let text = on_eth0(&network.configuration(2, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text, "");
    let status = modlb.json("status");
    assert_eq!(status["interfaces"][0]["name"], "eth0");
    assert_eq!((&status["services"][0]["n"], &status["state"]), (&2.into(), &"active".into()));

    // The file changes, by a rename.
    replace(&file, &on_eth0(&network.configuration(3, HTTP)));
    agent.hears("RELOADING=1\nMONOTONIC_USEC=");
    let said = agent.hears("READY=1");
    assert!(said.contains("STATUS=2 services, 6 servers: 6 take flows\n"), "{said}");
    assert_eq!(modlb.json("status")["services"][0]["n"], 3);

    // An invalid one is refused whole.
    let before = modlb.json("status");
    replace(&file, &on_eth0(&network.configuration(1, "protocol = \"tcp\"\nport = 0\nformula = \"2-tuple\"")));
    let said = agent.hears("refused");
    assert!(said.contains("port 0 is not from 1 to 65535") && said.contains("2-tuple"), "{said}");
    agent.logs("is not put in force: service web4: formula \"2-tuple\" is not known");
    assert_eq!(modlb.json("status"), before);
    // As is one that cannot be, though it is valid: there is no such capacity.
    replace(
        &file,
        "[[service]]\nname = \"a\"\naddress = \"203.0.113.9\"\n[[service.server]]\naddress = \"10.0.0.11\"\nweight = 65536\n[[service]]\nname = \"b\"\naddress = \"203.0.113.8\"\n[[service.server]]\naddress = \"10.0.0.11\"\nweight = 65536\n[[service]]\nname = \"c\"\naddress = \"203.0.113.7\"\n[[service.server]]\naddress = \"10.0.0.11\"\nweight = 65536\n[[service]]\nname = \"d\"\naddress = \"203.0.113.6\"\n[[service.server]]\naddress = \"10.0.0.11\"\nweight = 65536\n[[service]]\nname = \"e\"\naddress = \"203.0.113.5\"\n[[service.server]]\naddress = \"10.0.0.11\"\n",
    );
    agent.hears("--max-slots 262145");
    assert_eq!(modlb.json("status"), before);
    // The good one again.
    replace(&file, &text);
    wait(|| modlb.json("status")["services"][0]["n"] == 2, || agent.log());
    agent.hears("STATUS=2 services, 4 servers: 4 take flows\n");

    let program = modlb.json("status")["interfaces"][0]["program_id"].clone();
    agent.stop();
    assert_eq!(modlb.json("status")["interfaces"][0]["program_id"], program);
    // The program is not replaced by the next one either.
    let agent = Agent::start(modlb, &file, "");
    assert!(agent.log().contains("is in force already"), "{}", agent.log());
    assert_eq!(modlb.json("status")["interfaces"][0]["program_id"], program);
}

/// What commands changed stays until the file says something new, or somebody asks for what it says; also when the
/// agent is started again.
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
    // The same text written again says nothing new.
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
    // Started with another file than the one that is in force, it puts that in force.
    agent.stop();
    replace(&file, &text);
    let _agent = Agent::start(modlb, &file, "");
    assert_eq!(server(modlb, "web4", second)["state"], "up");
}

/// Without an instance there is nothing to go on with, so a bad file ends it; with one, the instance is kept true as it
/// is.
#[test]
fn a_bad_file_at_the_start() {
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

/// Two agents with two files would undo what the other does.
#[test]
fn there_is_only_one() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let (file, mut agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(1, HTTP)), "");
    let error = modlb.fails(&format!("agent --listen none --config {}", file.display()));
    assert!(error.starts_with(&format!("another agent manages instance {}", modlb.instance())), "{error}");
    // One that is killed is in nobody's way.
    agent.signal(Signal::SIGKILL);
    agent.end();
    Agent::start(modlb, &file, "").stop();
}

/// The listener's address is taken before anything is done.
#[test]
fn a_listener_that_cannot_be() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    let file = modlb.file("agent.toml", &on_eth0(&network.configuration(1, HTTP)));
    let taken = network.gateway.within(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap();
    let error = modlb.fails(&format!("agent --listen {address} --config {}", file.display()));
    assert!(error.starts_with(&format!("cannot listen on {address}; choose another")), "{error}");
    assert!(!modlb.pins().exists());
}
