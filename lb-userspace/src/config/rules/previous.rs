//! Rules for the server lists that a service had before.

use std::collections::HashMap;

use lb_common::limits::{MAX_PREVIOUS, MAX_SLOTS_PER_SERVICE};

use super::address::{mapped, never_on_the_wire, not_of_one_host, only_on_one_link};
use crate::config::{
    draft::Draft,
    model::PreviousServer,
    path::Path,
    problem::Finding,
    report::{Report, previous_label, second_time},
};

/// Reports every problem with earlier lists.
pub(super) fn check(services: &[Draft], findings: &mut Vec<Finding>) {
    for (index, service) in services.iter().enumerate() {
        let mut report = Report::of_service(index, service.name(), findings);
        let (path, lists) = (report.key("previous"), service.previous.len());
        if lists > MAX_PREVIOUS {
            let text =
                format!("previous has {lists} lists, at most {MAX_PREVIOUS} are possible; leave out the last ones");
            report.add_at(path.item(MAX_PREVIOUS), text);
        }
        for (index, list) in service.previous.iter().enumerate() {
            check_list(service, (&path.item(index), &previous_label(index)), list, &mut report);
        }
    }
}

fn check_list(service: &Draft, (path, label): (&Path, &str), list: &[Option<PreviousServer>], report: &mut Report<'_>) {
    if list.is_empty() {
        report.add_at_unless(path.clone(), vec![path.item(0)], format_args!("{label} has no server; leave it out"));
    }
    let (mut seen, mut n) = (HashMap::new(), 0);
    for (place, server) in list.iter().enumerate() {
        let Some(PreviousServer { address, mac, weight, idle: _ }) = *server else { continue };
        let mut add = |text: String| report.add_at(path.item(place), format_args!("{label}: server {address} {text}"));
        n += u64::from(weight);
        if second_time(&mut seen, address) {
            add("is listed twice".to_owned());
        }
        let kind = never_on_the_wire(address).or_else(|| not_of_one_host(address));
        if let Some(kind) = kind.or_else(|| mapped(address)).or_else(|| only_on_one_link(address)) {
            add(format!("is {kind}, which cannot be a server's"));
        } else if let Some(destination) = service.address.map(|net| net.addr())
            && address.is_ipv4() != destination.is_ipv4()
        {
            add(format!("is not of the same address family as the service's address {destination}"));
        }
        match mac {
            Some(mac) if mac.is_group() => add(format!("has mac {mac}, a multicast or broadcast address")),
            Some(mac) if !mac.is_unicast() => add(format!("has mac {mac}, the zero address")),
            Some(_) | None => {}
        }
    }
    if n > u64::from(MAX_SLOTS_PER_SERVICE) {
        let text = format!("{label}: the weights make N = {n}, at most {MAX_SLOTS_PER_SERVICE} are possible");
        report.add_at(path.clone(), text);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{
        file::{parse, write},
        model::PreviousServer,
    };

    const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n";

    /// Every problem with these lists, with its place.
    fn problems(lists: &str) -> String {
        parse(&format!("{SERVICE}previous = {lists}\n")).unwrap_err().in_file("f").to_string()
    }

    #[test]
    fn lists_read_back() {
        for (address, lists) in [
            ("203.0.113.10", r#"[["10.0.0.12 weight 2", "10.0.0.13 mac 02:00:00:00:00:13 down"], ["10.0.0.12"]]"#),
            ("2001:db8:f00::10", r#"[["2001:db8::12 weight 65535", "2001:db8::13 down"]]"#),
        ] {
            let text = format!("[[service]]\nname = \"web\"\naddress = \"{address}\"\nprevious = {lists}\n");
            let config = parse(&text).unwrap();
            assert!(config.services[0].previous[0][1].idle);
            assert!(write(&config).contains(&format!("previous = {lists}\n")), "{}", write(&config));
            assert_eq!(parse(&write(&config)).unwrap(), config);
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        let found = problems(
            "[\n[\"10.0.0.11\", \"10.0.0.11 down\", \"10.0.0.11\"],\n[],\n[\"2001:db8::1\"],\n\
             [\"10.0.0.1 weight 65536\", \"10.0.0.2\"],\n[\"10.0.0.1 mac 00:00:00:00:00:00\", \"10.0.0.2 mac 01:00:00:00:00:00\"],\n\
             [\"224.0.0.1\", \"10.0.0.300\", \"10.0.0.2 up\"], [5, \"10.0.0.9\"], [true], [\"10.0.0.1\"]\n]",
        );
        assert_eq!(
            found.lines().collect::<Vec<_>>(),
            [
                "f:5:15: service web: list 1 of previous: server 10.0.0.11 is listed twice",
                "f:6:1: service web: list 2 of previous has no server; leave it out",
                "f:7:2: service web: list 3 of previous: server 2001:db8::1 is not of the same address family as the \
                 service's address 203.0.113.10",
                "f:8:1: service web: list 4 of previous: the weights make N = 65537, at most 65536 are possible",
                "f:9:2: service web: list 5 of previous: server 10.0.0.1 has mac 00:00:00:00:00:00, the zero address",
                "f:9:36: service web: list 5 of previous: server 10.0.0.2 has mac 01:00:00:00:00:00, a multicast or \
                 broadcast address",
                "f:10:2: service web: list 6 of previous: server 224.0.0.1 is a multicast address, which cannot be a \
                 server's",
                "f:10:15: service web: list 6 of previous: \"10.0.0.300\" is not an IP address",
                "f:10:29: service web: list 6 of previous: \"up\" is not known; write ADDRESS, then `weight WEIGHT`, \
                 `mac MAC` or `down`",
                "f:10:46: value: invalid type: integer `5`, expected a string",
                "f:10:63: value: invalid type: boolean `true`, expected a string",
                "f:10:70: service web: previous has 9 lists, at most 8 are possible; leave out the last ones",
            ]
        );
        assert_eq!(
            problems("[\"10.0.0.11\"]"),
            "f:4:13: value: invalid type: string \"10.0.0.11\", expected a sequence"
        );
    }

    /// What is in force is changed by commands, and has no text.
    #[test]
    fn a_configuration_in_memory_keeps_the_rules() {
        let mut config = parse(SERVICE).unwrap();
        let server = PreviousServer { address: "10.0.0.11".parse().unwrap(), mac: None, weight: 1, idle: false };
        config.services[0].previous = vec![vec![server]; 8];
        config.validate().unwrap();
        config.services[0].previous.push(vec![server, server]);
        let error = config.validate().unwrap_err();
        let [lists, twice] = &error.texts()[..] else { panic!("{error}") };
        assert!(lists.contains("9 lists") && twice.contains("listed twice"), "{error}");
    }
}
