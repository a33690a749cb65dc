//! Every answer comes from the server that the formula names.

use crate::{
    HTTP, expected, need_root,
    support::network::{Network, SERVICES, request},
};

const CLIENTS: u8 = 30;

/// Makes requests from every client address to both services and checks each answer.
fn every_answer(mode: &str, requests: usize) {
    let network = Network::new(7, CLIENTS);
    let mut attached = false;
    for servers in [3, 4, 7] {
        for formula in ["3-tuple", "5-tuple"] {
            let configuration = network.configuration(servers, &format!("{HTTP}\nformula = \"{formula}\""));
            if attached {
                network.modlb.apply(&configuration);
            } else {
                network.attach(mode, &configuration);
                attached = true;
            }
            ask(&network, servers, formula, requests);
        }
    }
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["no_server"]["packets"], 0);
    assert_eq!(stats["outcomes"]["malformed"]["packets"], 0);
    assert!(stats["outcomes"]["forwarded"]["packets"].as_u64() > Some(0));
    let status = network.modlb.json("status");
    assert_eq!(
        (&status["interfaces"][0]["mode"], &status["interfaces"][0]["link"]),
        (&mode.into(), &"bpf_link".into())
    );
}

fn ask(network: &Network, servers: u8, formula: &str, requests: usize) {
    network.client.within(|| {
        let mut answered = vec![0; usize::from(servers)];
        for service in SERVICES {
            for client in network.client_addresses(service) {
                for _ in 0..requests {
                    let (port, server) =
                        request(client, service).unwrap_or_else(|error| panic!("{client} → {service}: {error}"));
                    let wanted = expected(client, port, service, formula, servers);
                    assert_eq!(server, wanted, "{client}:{port} → {service}, {formula} % {servers}");
                    answered[usize::from(server)] += 1;
                }
            }
        }
        assert!(answered.iter().all(|count| *count > 0), "not every server was asked: {answered:?}");
    });
}

#[test]
fn native_answers_come_from_the_right_server() {
    need_root!();
    every_answer("native", 100);
}

#[test]
fn generic_answers_come_from_the_right_server() {
    need_root!();
    every_answer("generic", 20);
}
