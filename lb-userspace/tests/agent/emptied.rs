//! A file that was emptied, or is only half-written.

use std::{
    fs,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, in_force, not_in_force, on_eth0, replace, servers},
    support::{network::Network, wait::wait},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn an_emptied_file_is_refused_unless_it_says_so() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let text = on_eth0(&network.configuration(2, HTTP));
    let (file, agent) = Agent::with_file(modlb, &text, "");
    let before = in_force(modlb);
    let without_servers = on_eth0(&network.configuration(0, HTTP));
    for (text, what) in
        [("", "no service"), ("interfaces = [\"eth0\"]\n", "no service"), (&*without_servers, "no server in any")]
    {
        fs::write(&file, text).unwrap();
        wait(
            || not_in_force(modlb)["reason"].as_str().is_some_and(|reason| reason.contains(what)),
            || format!("{text:?}: {}\n{}", not_in_force(modlb), agent.log()),
        );
        assert_eq!(not_in_force(modlb)["state"], "refused");
        assert_eq!(in_force(modlb), before);
        // Nor by SIGHUP.
        agent.notifies("`empty = true`");
        agent.signal(Signal::SIGHUP);
        agent.notifies("RELOADING=1");
        agent.notifies("`empty = true`");
        assert_eq!(in_force(modlb), before);
        fs::write(&file, on_eth0(&network.configuration(2, HTTP))).unwrap();
        wait(|| not_in_force(modlb).is_null(), || agent.log());
    }
    assert!(modlb.ok("status").contains("2 "), "the text form");

    // The same at the agent's start.
    agent.stop();
    fs::write(&file, "").unwrap();
    let agent = Agent::start(modlb, &file, "");
    agent.logs("is not put in force: it has no service, and 2 services, 4 servers would be removed");
    assert_eq!(in_force(modlb), before);
    let shown = modlb.ok("status");
    assert!(shown.contains("is not in force (refused until it changes): it has no service"), "{shown}");

    // It says so. What `export` prints of the result can be put in force as well.
    replace(&file, "empty = true\ninterfaces = [\"eth0\"]\n");
    wait(|| modlb.json("services").as_array().unwrap().is_empty(), || agent.log());
    let exported = modlb.ok("export");
    assert_eq!(exported, "empty = true\ninterfaces = [\"eth0\"]\n");
    replace(&file, &text);
    wait(|| servers(modlb) == 2, || agent.log());
    replace(&file, &exported);
    wait(|| modlb.json("services").as_array().unwrap().is_empty(), || agent.log());
    // But not of what is not empty.
    replace(&file, &format!("empty = true\n{text}"));
    agent.logs("empty = true says that there is no server, and there are some");
}

/// A writer that is half-way is waited for, in whatever pieces it writes.
#[test]
fn a_half_written_file_is_not_put_in_force() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let whole = on_eth0(&network.configuration(3, HTTP));
    let (file, agent) = Agent::with_file(modlb, &whole, "");
    // Ends between two servers, or between two services, so that it can be read.
    let pieces: Vec<_> = whole.match_indices("[[").map(|(place, _)| place).skip(1).collect();
    for &piece in &pieces {
        // On a busy machine this may have been too slow; then it is no writer that is half-way.
        let quickly = (0..20).any(|_| {
            let start = Instant::now();
            fs::write(&file, &whole[..piece]).unwrap();
            std::thread::sleep(Duration::from_millis(500));
            fs::write(&file, &whole).unwrap();
            start.elapsed() < Duration::from_millis(900)
        });
        assert!(quickly, "the machine is too busy to tell");
    }
    // Removed servers are named in the log.
    let log = agent.log();
    assert!(!log.contains("- server") && !log.contains("- service"), "{log}");
    assert_eq!(servers(modlb), 3);
    // What stays shorter is meant.
    fs::write(&file, on_eth0(&network.configuration(2, HTTP))).unwrap();
    wait(|| servers(modlb) == 2, || agent.log());
    // Also at the start.
    agent.stop();
    fs::write(&file, on_eth0(&network.configuration(1, HTTP))).unwrap();
    let _agent = Agent::start(modlb, &file, "");
    assert_eq!(servers(modlb), 1);
}

/// By hand it is the same, and the plan says what it means.
#[test]
fn an_emptied_file_is_not_applied_unless_that_is_meant() {
    need_root!();
    let network = Network::new(1, 1);
    let modlb = &network.modlb;
    modlb.attach("eth0", &network.configuration(1, HTTP));
    let before = in_force(modlb);
    let line = "! no server is left in any service: nothing is balanced any more";
    for text in [String::new(), network.configuration(0, HTTP)] {
        let file = modlb.file("emptied.toml", &text);
        let error = modlb.fails(&format!("apply {}", file.display()));
        assert!(error.contains("`empty = true`") && error.contains("`--force`"), "{error}");
        assert!(error.starts_with(&file.display().to_string()), "{error}");
        assert!(modlb.ok(&format!("apply {} --dry-run", file.display())).contains(line));
        assert_eq!(in_force(modlb), before);
        assert!(modlb.ok(&format!("apply {} --force", file.display())).contains(line));
        assert_eq!(servers(modlb), 0);
        modlb.apply(&network.configuration(1, HTTP));
        assert!(
            modlb
                .ok(&format!("apply {}", modlb.file("meant.toml", &format!("empty = true\n{text}")).display()))
                .contains(line)
        );
        modlb.apply(&network.configuration(1, HTTP));
    }
}
