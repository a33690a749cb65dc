//! A server keeps its counter as long as it is configured, whatever else changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{need_root, packet, support::bench::Bench, web};

/// The packets of each server, and of the service.
fn counted(bench: &Bench) -> (BTreeMap<String, u64>, u64) {
    let stats = bench.modlb.json("stats");
    let service = &stats["services"][0];
    let packets = |value: &Value| value["packets"].as_u64().unwrap();
    assert_eq!(packets(&stats["outcomes"]["forwarded"]), packets(service), "forwarded is the sum over services");
    let servers = service["servers"].as_array().unwrap();
    (
        servers.iter().map(|server| (server["address"].as_str().unwrap().to_owned(), packets(server))).collect(),
        packets(service),
    )
}

fn send(bench: &Bench, rounds: u8) {
    for client in 0..rounds {
        bench.run(&packet(client));
    }
}

#[test]
fn counters_follow_their_servers() {
    need_root!();
    let bench = Bench::new(&web(&[11, 12, 13]));
    send(&bench, 30);
    let ten = |address: &str| (format!("10.0.0.{address}"), 10);
    assert_eq!(counted(&bench), (BTreeMap::from([ten("11"), ten("12"), ten("13")]), 30));

    // Another order, another formula, a server down: all counters stay.
    bench.apply(&web(&[13, 11, 12]).replace("port = 80", "port = 80\nformula = \"5-tuple\""));
    bench.modlb.ok("server down web 10.0.0.12");
    bench.modlb.ok("server up web 10.0.0.12");
    bench.modlb.ok("upgrade");
    assert_eq!(counted(&bench), (BTreeMap::from([ten("11"), ten("12"), ten("13")]), 30));

    // A removed server's packets stay with the service. An added one starts at zero.
    bench.apply(&web(&[11, 13, 14]));
    let fresh = ("10.0.0.14".to_owned(), 0);
    assert_eq!(counted(&bench), (BTreeMap::from([ten("11"), ten("13"), fresh.clone()]), 30));
    bench.apply(&web(&[11, 13, 14, 12]));
    let back = ("10.0.0.12".to_owned(), 0);
    assert_eq!(counted(&bench), (BTreeMap::from([ten("11"), ten("13"), fresh, back]), 30));

    // The service is removed and added again as a new one; the sum over all services stays.
    bench.apply("empty = true");
    assert_eq!(bench.modlb.json("stats")["outcomes"]["forwarded"]["packets"], 30);
    bench.apply(&web(&[11]));
    bench.apply(&web(&[11, 12]));
    assert_eq!(bench.modlb.json("stats")["outcomes"]["forwarded"]["packets"], 30);
    let stats = bench.modlb.json("stats");
    assert_eq!(
        (&stats["services"][0]["packets"], &stats["services"][0]["servers"][0]["packets"]),
        (&0.into(), &0.into())
    );
}

/// With more changes than there are counters, old ones are reused, and start at zero.
#[test]
fn counters_are_reused_and_start_at_zero() {
    need_root!();
    let bench = Bench::new(&web(&[11]));
    let mut total = 0;
    for round in 0..40_u32 {
        let servers = (0..100).map(|n| {
            let (high, low) = (round, n);
            format!("[[service.server]]\naddress = \"10.1.{high}.{low}\"\nmac = \"02:00:00:00:02:01\"\n")
        });
        bench.apply(&(web(&[]) + &servers.collect::<String>()));
        let (servers, service) = counted(&bench);
        assert!(servers.values().all(|count| *count == 0), "round {round}: a new server does not start at zero");
        assert_eq!(service, total, "round {round}");
        send(&bench, 100);
        total += 100;
    }
}
