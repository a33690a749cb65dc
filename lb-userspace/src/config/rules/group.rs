//! Rules for the settings of roles.

use std::collections::HashSet;

use lb_common::{limits::MAX_SELF_ADDRESSES, mac::Mac};

use crate::config::{
    draft::Draft,
    model::{Direction, Group, Role},
};

/// A line for each problem with the settings of a role.
pub(super) fn problems(role: Role, group: &Group, services: &[Draft]) -> Vec<String> {
    let mut problems = match role {
        Role::Member => member(group),
        Role::Balancer | Role::Steer => settings_of_members(role, group),
    };
    if role == Role::Balancer {
        let others = services.iter().filter(|service| service.direction != Direction::Forward);
        problems.extend(others.map(|service| {
            format!(
                "service {}: direction {:?} needs role = \"member\" or \"steer\"; a balancer takes what goes to a service",
                service.name.escape_debug(),
                service.direction.name()
            )
        }));
    } else {
        problems.extend(tagged(services));
    }
    problems
}

/// Servers with a VLAN: only a balancer sends frames on and can tag them.
fn tagged(services: &[Draft]) -> impl Iterator<Item = String> {
    services.iter().flat_map(|service| {
        let servers = service.servers.iter().filter(|server| server.vlan.is_some());
        servers.map(|server| {
            let address =
                server.address.as_ref().map_or_else(|text| text.escape_debug().to_string(), ToString::to_string);
            format!(
                "service {}: server {address}: vlan needs role = \"balancer\", which alone sends frames on",
                service.name.escape_debug()
            )
        })
    })
}

/// Settings that only a member can have.
fn settings_of_members(role: Role, group: &Group) -> Vec<String> {
    let used = [
        ("self", !group.own.is_empty()),
        ("group_mac", group.mac.is_some()),
        ("promiscuous", group.promiscuous),
        ("answer_arp", group.answer_arp),
    ];
    let used = used.into_iter().filter(|(_, used)| *used);
    used.map(|(key, _)| format!("{key} needs role = \"member\"; the role is {:?}", role.name())).collect()
}

fn member(group: &Group) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    let twice = group.own.iter().filter(|address| !seen.insert(**address));
    problems.extend(twice.map(|address| format!("self: {address} listed twice")));
    if group.own.len() > MAX_SELF_ADDRESSES {
        problems.push(format!("self: {} addresses, at most {MAX_SELF_ADDRESSES} are possible", group.own.len()));
    }
    match group.mac {
        Some(mac) if mac == Mac([0xff; 6]) || mac == Mac::ZERO => {
            problems.push(format!("group_mac {mac} is the broadcast or the zero address"));
        }
        Some(mac) if !mac.is_group() && !group.promiscuous => problems.push(format!(
            "group_mac {mac} is not a multicast MAC (the second digit is even), so no interface receives it; choose \
             another, or set promiscuous = true"
        )),
        Some(_) => {}
        None if group.answer_arp => problems.push("answer_arp needs group_mac, which is the answer".to_owned()),
        None => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::config::{
        ConfigError,
        file::{parse, parse_for, write},
        model::{Config, Direction, Role},
    };

    const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n";

    fn problems(text: &str) -> Vec<String> {
        match parse(text) {
            Err(ConfigError::Invalid(problems)) => problems,
            other => panic!("{text}: {other:?}"),
        }
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
                "service web: direction \"back\" is not known; it is \"forward\" or \"reply\" or \"both\"",
                "promiscuous needs role = \"member\"; the role is \"balancer\"",
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
        assert_eq!(error, "role \"member\" is not the role of this host, which is \"steer\"");
    }
}
