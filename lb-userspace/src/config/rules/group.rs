//! Rules for the settings of roles.

use std::collections::HashSet;

use lb_common::{limits::MAX_SELF_ADDRESSES, mac::Mac};

use super::address::{mapped, never_on_the_wire, not_of_one_host};
use crate::config::{
    draft::Draft,
    model::{Direction, Group, Role},
    path::Path,
    problem::Finding,
    report::Report,
};

/// Reports every problem with the settings of a role.
pub(super) fn check(role: Role, group: &Group, report: &mut Report<'_>) {
    match role {
        Role::Member => member(group, report),
        Role::Keep => {
            own(group, report);
            settings_of_members(role, &Group { own: Vec::new(), ..group.clone() }, report);
        }
        Role::Balancer | Role::Steer => settings_of_members(role, group, report),
    }
}

/// Reports what services have that the role cannot have.
pub(super) fn check_services(role: Role, services: &[Draft], findings: &mut Vec<Finding>) {
    for (index, service) in services.iter().enumerate() {
        let mut report = Report::of_service(index, service.name(), findings);
        let absent = || vec![Path::default().key("role")];
        if role != Role::Balancer {
            tagged(service, &mut report);
        }
        if matches!(role, Role::Balancer | Role::Keep) && service.direction != Direction::Forward {
            let direction = service.direction.name();
            report.add_unless(
                "direction",
                absent(),
                format_args!(
                    "direction {direction:?} needs role = \"member\" or \"steer\"; a {} takes what goes to a service",
                    role.name()
                ),
            );
        }
    }
}

/// Servers with a VLAN: only a balancer sends frames on and can tag them.
fn tagged(service: &Draft, report: &mut Report<'_>) {
    for (index, server) in service.servers.iter().enumerate().filter(|(_, server)| server.vlan.is_some()) {
        let label = server.label();
        let absent = vec![Path::default().key("role")];
        let text = format!("{label}: vlan needs role = \"balancer\", which alone sends frames on");
        report.server(index).add_unless("vlan", absent, text);
    }
}

/// Settings that only a member can have.
fn settings_of_members(role: Role, group: &Group, report: &mut Report<'_>) {
    let used = [
        ("self", !group.own.is_empty()),
        ("group_mac", group.mac.is_some()),
        ("promiscuous", group.promiscuous),
        ("answer_arp", group.answer_arp),
    ];
    for (key, _) in used.into_iter().filter(|(_, used)| *used) {
        let text = format!("{key} needs role = \"member\"; the role is {:?}", role.name());
        report.add_without(key, &["role"], text);
    }
}

fn member(group: &Group, report: &mut Report<'_>) {
    own(group, report);
    group_mac(group, report);
}

/// Reports every problem with the addresses of this host.
fn own(group: &Group, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for address in &group.own {
        report.add_if(!seen.insert(*address), "self", || format!("self: {address} listed twice"));
        let kind = never_on_the_wire(*address).or_else(|| not_of_one_host(*address)).or_else(|| mapped(*address));
        if let Some(kind) = kind {
            report.add("self", format_args!("self: {address} is {kind}, which no server can have"));
        }
    }
    report.add_if(group.own.len() > MAX_SELF_ADDRESSES, "self", || {
        format!("self: {} addresses, at most {MAX_SELF_ADDRESSES} are possible", group.own.len())
    });
}

fn group_mac(group: &Group, report: &mut Report<'_>) {
    match group.mac {
        Some(mac) if mac == Mac([0xff; 6]) || mac == Mac::ZERO => {
            report.add("group_mac", format_args!("group_mac {mac} is the broadcast or the zero address"));
        }
        Some(mac) if !mac.is_group() && !group.promiscuous => report.add_without("group_mac", &["promiscuous"], format_args!(
            "group_mac {mac} is not a multicast MAC (the second digit is even), so no interface receives it; choose \
             another, or set promiscuous = true"
        )),
        Some(_) => {}
        None if group.answer_arp => {
            report.add_without("answer_arp", &["group_mac"], "answer_arp needs group_mac, which is the answer");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{
        file::{parse, parse_for, write},
        model::{Config, Direction, Role},
    };

    const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n";

    fn problems(text: &str) -> Vec<String> {
        parse(text).expect_err(text).texts()
    }

    fn good(text: &str) -> Config {
        let config = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parse(&write(&config)).unwrap(), config, "{}", write(&config));
        config
    }

    #[test]
    fn settings_of_a_member() {
        let config = good(&format!(
            "role = \"member\"\nself = [\"10.0.0.11\", \"fd00::b\"]\ngroup_mac = \"01:00:5e:00:00:09\"\nanswer_arp = true\n{SERVICE}\
             direction = \"both\""
        ));
        assert_eq!((config.role, config.group.own.len(), config.group.answer_arp), (Role::Member, 2, true));
        assert_eq!(config.services[0].direction, Direction::Both);
        good("role = \"member\"\nself = \"10.0.0.11\"");
        good("role = \"member\"\npromiscuous = true\ngroup_mac = \"02:00:5e:00:00:09\"");
        good("role = \"member\"\npromiscuous = true");
    }

    #[test]
    fn only_servers_of_a_balancer_have_vlans() {
        for role in ["member", "steer"] {
            let server = "[[service.server]]\naddress = \"10.0.0.11\"\nvlan = 20\n";
            let found = problems(&format!("role = \"{role}\"\n{SERVICE}{server}"));
            assert_eq!(
                found,
                ["service web: server 10.0.0.11: vlan needs role = \"balancer\", which alone sends frames on"]
            );
        }
    }

    #[test]
    fn the_default_direction_follows_the_role() {
        let direction = |role| good(&format!("role = \"{role}\"\n{SERVICE}")).services[0].direction;
        assert_eq!(["balancer", "member"].map(direction), [Direction::Forward; 2]);
        assert_eq!(direction("steer"), Direction::Reply);
        let forward = good(&format!("role = \"steer\"\n{SERVICE}direction = \"forward\""));
        assert_eq!(forward.services[0].direction, Direction::Forward);
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        assert_eq!(
            problems(&format!(
                "self = \"here\"\ngroup_mac = \"01:00:5e:00:00\"\npromiscuous = true\n{SERVICE}direction = \"back\""
            )),
            [
                "self \"here\" is not an IP address",
                "group_mac \"01:00:5e:00:00\" is not a MAC address; write it like 02:00:00:00:00:11",
                "promiscuous needs role = \"member\"; the role is \"balancer\"",
                "service web: direction \"back\" is not known; it is \"forward\" or \"reply\" or \"both\"",
            ]
        );
        assert_eq!(
            problems(&format!("role = \"steer\"\nself = \"10.0.0.1\"\nanswer_arp = true\n{SERVICE}")),
            [
                "self needs role = \"member\"; the role is \"steer\"",
                "answer_arp needs role = \"member\"; the role is \"steer\"",
            ]
        );
        let [problem] = &problems(&format!("{SERVICE}direction = \"reply\""))[..] else { panic!() };
        assert!(problem.starts_with("service web: direction \"reply\" needs role"), "{problem}");
        let many: Vec<_> = (0..9).map(|number| format!("\"10.0.0.{}\"", number % 8)).collect();
        assert_eq!(
            problems(&format!("role = \"member\"\nself = [{}]\nanswer_arp = true", many.join(", "))),
            [
                "self: 10.0.0.0 listed twice",
                "self: 9 addresses, at most 8 are possible",
                "answer_arp needs group_mac, which is the answer",
            ]
        );
        for mac in ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"] {
            assert_eq!(
                problems(&format!("role = \"member\"\ngroup_mac = \"{mac}\"")),
                [format!("group_mac {mac} is the broadcast or the zero address")]
            );
        }
        let [problem] = &problems("role = \"member\"\ngroup_mac = \"02:00:00:00:00:09\"")[..] else { panic!() };
        assert!(problem.contains("promiscuous = true"), "{problem}");
    }

    /// A file without a role is read for the role of the host.
    #[test]
    fn the_role_of_the_host_is_the_default() {
        let config = parse_for(SERVICE, Some(Role::Steer)).unwrap();
        assert_eq!((config.role, config.services[0].direction), (Role::Steer, Direction::Reply));
        assert!(parse_for("role = \"steer\"", Some(Role::Steer)).is_ok());
        let error = parse_for("role = \"member\"", Some(Role::Steer)).unwrap_err().to_string();
        assert_eq!(error, "line 1: role \"member\" is not the role of this host, which is \"steer\"");
    }
}
