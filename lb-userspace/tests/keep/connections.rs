//! What `modlb connections` says of servers.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    WEB, need_root,
    site::{CLIENTS, Lists, Site},
    support::{
        network::{SERVICES, name},
        paced::Downloads,
    },
};

/// Downloads from each of the client's addresses.
const EACH: usize = 3;

/// A site with downloads of both services.
fn busy() -> (Site, Lists, Vec<Downloads>) {
    let site = Site::new(1, 3);
    let first = Lists::of(0..3);
    site.attach(&first.configuration(WEB), Some(""));
    // A closed connection is gone at once.
    site.hosts.iter().for_each(|host| drop(host.run("sysctl", "-wq net.ipv4.tcp_max_tw_buckets=0")));
    let start = |service| Downloads::start(&site.client, &Site::clients(service), service, EACH);
    let downloads = SERVICES.map(start).into();
    (site, first, downloads)
}

fn apply(site: &Site, lists: &Lists) {
    let configuration = lists.configuration(WEB);
    site.keepers.iter().chain(&site.balancers).for_each(|modlb| drop(modlb.apply(&configuration)));
}

/// Starts to wait on the second server; returns the number of connections left at first.
fn start_waiting(site: &Site) -> (Child, impl Iterator<Item = Value>) {
    let mut child = site.keepers[1].command("connections --wait --json").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

#[test]
fn connections_are_counted_where_they_are_held() {
    need_root!();
    let (site, first, mut downloads) = busy();
    let expected = u64::from(CLIENTS) * EACH as u64;
    let views: Vec<_> = site.keepers.iter().map(|keeper| keeper.json("connections --interval 0.2")).collect();
    for (index, service) in SERVICES.into_iter().enumerate() {
        let of = |view: &Value| {
            let found = &view["services"][index];
            assert_eq!(found["service"], name(service));
            assert_eq!(found["states"]["established"], found["held"], "{found}");
            found["held"].as_u64().unwrap()
        };
        assert_eq!(views.iter().map(of).sum::<u64>(), expected, "{views:?}");
    }
    let named = site.keepers[0].json("connections web6 --interval 0.2");
    assert_eq!((&named["services"][0]["service"], named["services"].as_array().unwrap().len()), (&"web6".into(), 1));
    assert_eq!(named["self"], serde_json::json!(["fd00::b"]));

    // The second server goes away: the others hand its packets on, and it is a former one.
    apply(&site, &first.then_of([0, 2], &[]));
    let packets = |view: &Value, server: &str| -> (f64, Value) {
        let services = view["services"].as_array().unwrap().iter();
        let mut servers = services.flat_map(|service| service["servers"].as_array().unwrap());
        let found = servers.find(|found| found["address"] == server).unwrap();
        (found["packets_per_second"].as_f64().unwrap(), found.clone())
    };
    let handed_on: Vec<_> = [0, 2].map(|index| packets(&site.keepers[index].json("connections"), "10.0.0.12")).into();
    assert!(handed_on.iter().any(|(rate, _)| *rate > 0.0), "{handed_on:?}");
    assert!(handed_on.iter().all(|(_, found)| found["former"] == true && found["here"] == false), "{handed_on:?}");
    let (rate, kept) = packets(&site.keepers[1].json("connections"), "10.0.0.12");
    assert!(rate > 0.0 && kept["here"] == true, "{kept}");
    let text = site.keepers[1].ok("connections --interval 0.1");
    assert!(
        text.contains("connections on 10.0.0.12 and fd00::c, taken_last 0") && text.contains("kept, former server")
    );
    assert!(downloads.iter_mut().all(|downloads| downloads.finish().broken.is_empty()));
}

#[test]
fn an_operator_waits_until_no_connection_is_left() {
    need_root!();
    let (site, first, mut downloads) = busy();
    let warned = site.keepers[1].output("connections --wait --timeout 0.1");
    assert!(String::from_utf8_lossy(&warned.stderr).contains("10.0.0.12 takes flows of web4"), "{warned:?}");
    apply(&site, &first.then_of(0..3, &[1]));
    let error = site.keepers[1].fails("connections --wait --timeout 0.3");
    assert!(error.contains(" connections left on 10.0.0.12 and fd00::c after 0 s"), "{error}");

    let (interrupted, mut lines) = start_waiting(&site);
    assert_ne!(lines.next().unwrap()["left"], 0);
    kill(Pid::from_raw(interrupted.id() as i32), Signal::SIGINT).unwrap();
    let output = interrupted.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");

    let (waiting, mut lines) = start_waiting(&site);
    assert_ne!(lines.next().unwrap()["left"], 0);
    assert!(downloads.iter_mut().all(|downloads| downloads.finish().broken.is_empty()));
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines.last().unwrap()["left"], 0);
    assert_eq!(site.keepers[1].ok("connections --wait"), "no connection left on 10.0.0.12 and fd00::c\n");
}

#[test]
fn other_roles_and_unknown_services_are_refused() {
    need_root!();
    let site = Site::new(1, 1);
    site.attach(&Lists::of(0..1).configuration(WEB), Some(""));
    let error = site.balancers[0].fails("connections");
    assert!(
        error.contains("has role `balancer`") && error.contains("role `keep` or `member`; run it there"),
        "{error}"
    );
    let error = site.keepers[0].fails("connections wbe");
    assert!(error.contains("\"wbe\"") && error.contains("modlb services"), "{error}");
}
