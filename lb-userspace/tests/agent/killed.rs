//! An agent that is killed at any moment, under load, while the file changes.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use crate::{
    need_root,
    process::{Agent, on_eth0, replace},
    support::{
        network::{Network, SERVICES, datagrams_to},
        wait::wait,
    },
};

const KILLS: u32 = 100;
const SERVERS: u8 = 3;

/// Each client's pause between two datagrams.
const PACE: Duration = Duration::from_millis(2);

#[test]
fn a_killed_agent_loses_no_datagram() {
    need_root!();
    let network = Network::new(SERVERS, 4);
    network.pass(true);
    let what = "check = { kind = \"tcp\", port = 80, interval = 0.2 }";
    let all = on_eth0(&network.configuration(SERVERS, what));
    // With another number of servers and another service: most flows move, none is lost.
    let fewer = on_eth0(&network.configuration(SERVERS - 1, what))
        + "[[service]]\nname = \"more\"\naddress = \"203.0.113.11\"\n";
    let texts = [all, fewer];
    let file = network.modlb.file("agent.toml", &texts[0]);
    Agent::start(&network.modlb, &file, "--mode native").stop();
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = network.datagrams();
    let mut random = TestRunner::deterministic();
    let start = Instant::now();
    replace(&file, &texts[1]);
    let agent = Agent::spawn(&network.modlb, &file, "--mode native");
    agent.logs("is in force");
    // From before it has begun to after it has done everything, also on a busy machine.
    let delays = 0..start.elapsed().as_micros() as u64 * 3 / 2;
    agent.stop();
    let start = Instant::now();
    thread::scope(|scope| {
        let (network, over, sent) = (&network, &over, &sent);
        for service in SERVICES {
            for client in network.client_addresses(service) {
                scope.spawn(move || {
                    let socket = network.client.within(|| datagrams_to(client, service));
                    while !over.load(Ordering::Relaxed) {
                        socket.send(b"?").unwrap();
                        sent.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(PACE);
                    }
                });
            }
        }
        let kill = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut done = 0;
            for round in 0..KILLS {
                replace(&file, &texts[round as usize % 2]);
                let agent = Agent::spawn(&network.modlb, &file, "--mode native");
                thread::sleep(Duration::from_micros(delays.new_tree(&mut random).unwrap().current()));
                done += u32::from(agent.log().contains("is in force"));
                drop(agent);
            }
            eprintln!("{done} of them after the change, the rest before or in it");
            assert!(
                (KILLS / 20..KILLS * 19 / 20).contains(&done),
                "the kills came all too early or all too late: {done}"
            );
        }));
        over.store(true, Ordering::Relaxed);
        kill.unwrap();
    });
    let sent = sent.load(Ordering::Relaxed);
    eprintln!("{KILLS} kills and {sent} datagrams in {:?}", start.elapsed());
    let received = || network.datagrams() - before;
    wait(|| received() == sent, || format!("{} of {sent} datagrams arrived", received()));

    // Whenever the last was killed, the next does everything that is left to do.
    for text in texts {
        replace(&file, &text);
        let agent = Agent::start(&network.modlb, &file, "--mode native");
        let expected = if text.contains("more") { (3, 2) } else { (2, 3) };
        let status = network.modlb.json("status");
        let found = (status["services"].as_array().unwrap().len(), status["services"][0]["n"].as_u64().unwrap());
        assert_eq!(found, expected, "{}", agent.log());
        assert!(status["services"][0]["servers"].as_array().unwrap().iter().all(|server| server["state"] == "up"));
        assert_eq!(status["interfaces"].as_array().unwrap().len(), 1);
    }
}
