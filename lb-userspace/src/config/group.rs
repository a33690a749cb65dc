//! What a member is told of itself and its group: between the file and the model, and what it must satisfy.

use std::{collections::HashSet, net::IpAddr};

use lb_common::{limits::MAX_SELF_ADDRESSES, mac::Mac};
use serde::{Deserialize, Serialize};

use super::{
    draft::Draft,
    model::{Direction, Group, Role},
};

/// `self`: one address or several.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "self is an address such as \"10.0.0.11\", or a list of them")]
pub(super) enum FileSelf {
    One(String),
    Several(Vec<String>),
}

impl FileSelf {
    /// As it is written most plainly; `None`: not at all.
    pub fn from_addresses(addresses: &[IpAddr]) -> Option<Self> {
        match addresses {
            [] => None,
            [address] => Some(Self::One(address.to_string())),
            several => Some(Self::Several(several.iter().map(ToString::to_string).collect())),
        }
    }

    /// The addresses; whatever is none is reported.
    pub fn addresses(self, report: &mut impl FnMut(String)) -> Vec<IpAddr> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        };
        let parsed = texts
            .into_iter()
            .map(|text| text.parse().map_err(|_| report(format!("self {text:?} is not an IP address"))).ok());
        parsed.collect::<Vec<Option<_>>>().into_iter().flatten().collect()
    }
}

/// The group's MAC; a text that is none is reported.
pub(super) fn mac(text: Option<String>, report: &mut impl FnMut(String)) -> Option<Mac> {
    let text = text?;
    text.parse().map_err(|error| report(format!("group_mac {text:?} is {error}"))).ok()
}

/// Everything that is wrong with what a host is told of its role, a line each.
pub(super) fn problems(role: Role, group: &Group, services: &[Draft]) -> Vec<String> {
    let mut problems = match role {
        Role::Member => member(group),
        Role::Balancer | Role::Steer => stranger(role, group),
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
    }
    problems
}

/// Keys that say nothing to who is no member.
fn stranger(role: Role, group: &Group) -> Vec<String> {
    let said = [
        ("self", !group.own.is_empty()),
        ("group_mac", group.mac.is_some()),
        ("promiscuous", group.promiscuous),
        ("answer_arp", group.answer_arp),
    ];
    let said = said.into_iter().filter(|(_, said)| *said);
    said.map(|(key, _)| format!("{key} needs role = \"member\"; the role is {:?}", role.name())).collect()
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
            problems.push(format!("group_mac {mac} is no group's"));
        }
        Some(mac) if !mac.is_group() && !group.promiscuous => problems.push(format!(
            "group_mac {mac} is not a multicast MAC (the second digit is even), so no interface receives it; choose \
             another, or say promiscuous = true"
        )),
        Some(_) => {}
        None if group.answer_arp => problems.push("answer_arp needs group_mac, which is the answer".to_owned()),
        None => {}
    }
    problems
}
