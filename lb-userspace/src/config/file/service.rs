//! Services and their servers in the file ↔ the model.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    check::{self, FileCheck},
    words::{DIRECTIONS, FORMULAS, FRAGMENTS, SELECTIONS, STATES, unless_default, word},
};
use crate::config::{
    draft::{Draft, DraftServer},
    model::{Netns, PreviousServer, Role, Selection, Server, ServerMac, Service, Sockets, target},
    problem::Finding,
    protocol::{known_name, parse_protocol},
    report::{Report, previous_label},
};

/// `service` in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileService {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<FileProtocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formula: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<FileCheck>,
    #[serde(default, rename = "server", skip_serializing_if = "Vec::is_empty")]
    servers: Vec<FileServer>,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "a protocol is a name such as \"tcp\", or a number")]
enum FileProtocol {
    Number(i64),
    Name(String),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileServer {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl FileService {
    /// The service as far as it can be read; the rest is a finding.
    pub fn draft(self, index: usize, role: Role, findings: &mut Vec<Finding>) -> Draft {
        let mut report = Report::of_service(index, self.name.as_deref().unwrap_or_default(), findings);
        let report = &mut report;
        if self.name.is_none() {
            report.add_without("name", &["name"], "it has no name");
        }
        Draft {
            address: address(self.address.as_deref(), report),
            protocol: protocol(self.protocol, |problem| report.add("protocol", problem)),
            port: self.port,
            formula: word("formula", self.formula.as_deref(), &FORMULAS, |problem| report.add("formula", problem)),
            slots: slots(self.selection.as_deref(), self.slots, report),
            fragments: word("fragments", self.fragments.as_deref(), &FRAGMENTS, |problem| {
                report.add("fragments", problem)
            }),
            direction: match &self.direction {
                None => role.default_direction(),
                text => word("direction", text.as_deref(), &DIRECTIONS, |problem| report.add("direction", problem)),
            },
            sockets: self.sockets.and_then(|text| sockets(&text, report)),
            check: self.check.map(|check| check::read(check, report)),
            servers: (0..).zip(self.servers).map(|(index, server)| server.draft(report.server(index))).collect(),
            previous: self.previous.iter().enumerate().map(|(index, list)| previous(index, list, report)).collect(),
            name: self.name,
        }
    }
}

/// Where the sockets are. Which namespace that is, is found out where role `keep` runs.
fn sockets(text: &str, report: &mut Report<'_>) -> Option<Sockets> {
    let netns: Result<Netns, _> = text.parse();
    let netns = netns.map_err(|error| report.add("sockets", format_args!("sockets: {error}"))).ok()?;
    Some(Sockets { netns, id: None })
}

/// An earlier list of servers.
fn previous(index: usize, servers: &[String], report: &mut Report<'_>) -> Vec<Option<PreviousServer>> {
    let path = report.key("previous").item(index);
    let server = |(place, text): (usize, &String)| match text.parse() {
        Ok(server) => Some(server),
        Err(error) => {
            report.add_at(path.item(place), format_args!("{}: {error}", previous_label(index)));
            None
        }
    };
    servers.iter().enumerate().map(server).collect()
}

fn address(text: Option<&str>, report: &mut Report<'_>) -> Option<IpNet> {
    let Some(text) = text else {
        report.add_without("address", &["address"], "it has no address");
        return None;
    };
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map_err(|_| report.add("address", format_args!("address {text:?} is not an IP address"))).ok()
}

fn protocol(protocol: Option<FileProtocol>, report: impl FnOnce(String)) -> Option<Option<u8>> {
    let number = match protocol {
        None => return Some(None),
        Some(FileProtocol::Name(name)) => parse_protocol(&name).map_err(|error| error.to_string()),
        Some(FileProtocol::Number(number)) => {
            u8::try_from(number).map_err(|_| format!("protocol {number} is not from 0 to 255"))
        }
    };
    number.map(Some).map_err(report).ok()
}

/// The slots of `resilient`, or `None` for `modulo`.
fn slots(selection: Option<&str>, slots: Option<i64>, report: &mut Report<'_>) -> Option<i64> {
    let mut known = true;
    let value = word("selection", selection, &SELECTIONS, |problem| {
        known = false;
        report.add("selection", problem);
    });
    match (value, slots) {
        (Selection::Resilient { slots: default }, slots) => Some(slots.unwrap_or(default.into())),
        (Selection::Modulo, Some(slots)) if known => {
            report.add_without("slots", &["selection"], format_args!("slots {slots} needs selection = \"resilient\""));
            None
        }
        (Selection::Modulo, _) => None,
    }
}

impl FileServer {
    fn draft(self, mut report: Report<'_>) -> DraftServer {
        let label = || match &self.address {
            Some(address) => format!("server {}", address.escape_debug()),
            None => "a server".to_owned(),
        };
        let mac = match self.mac.as_deref().map(str::parse) {
            None => ServerMac::Unresolved,
            Some(Ok(mac)) => ServerMac::Given(mac),
            Some(Err(error)) => {
                report.add(
                    "mac",
                    format_args!("{}: mac {:?} is {error}", label(), self.mac.as_deref().unwrap_or_default()),
                );
                ServerMac::Unresolved
            }
        };
        let state = word("state", self.state.as_deref(), &STATES, |problem| {
            report.add("state", format_args!("{}: {problem}", label()));
        });
        let address = match &self.address {
            Some(text) => text.parse().map_err(|_| {
                report.add("address", format_args!("{}: not an IP address", label()));
                text.clone()
            }),
            None => {
                report.add_without("address", &["address"], format_args!("{} has no address", label()));
                Err(String::new())
            }
        };
        DraftServer { address, mac, vlan: self.vlan, weight: self.weight.unwrap_or(1), state }
    }
}

impl FileService {
    /// The service, for a host with this role.
    pub fn new(service: &Service, role: Role) -> Self {
        let Service {
            name,
            address,
            protocol,
            port,
            formula,
            selection,
            fragments,
            direction,
            sockets,
            check,
            servers,
            previous,
        } = service;
        let owned = |name: &str| name.to_owned();
        let protocol_word = |number: u8| match known_name(number) {
            Some(name) => FileProtocol::Name(name.to_owned()),
            None => FileProtocol::Number(number.into()),
        };
        Self {
            name: Some(name.clone()),
            address: Some(target(*address, None, None::<u16>)),
            protocol: protocol.map(protocol_word),
            port: port.map(i64::from),
            formula: unless_default(formula.name(), &FORMULAS[0].0).map(owned),
            selection: unless_default(selection.name(), &SELECTIONS[0].0).map(owned),
            slots: match *selection {
                Selection::Modulo => None,
                Selection::Resilient { slots } => Some(slots.into()),
            },
            fragments: unless_default(fragments.name(), &FRAGMENTS[0].0).map(owned),
            direction: unless_default(*direction, &role.default_direction())
                .map(|direction| direction.name().to_owned()),
            sockets: sockets.as_ref().map(|sockets| sockets.netns.to_string()),
            previous: previous.iter().map(|list| list.iter().map(ToString::to_string).collect()).collect(),
            check: check.as_ref().map(FileCheck::from),
            servers: servers.iter().filter(|server| !server.is_former()).map(FileServer::from).collect(),
        }
    }
}

impl From<&Server> for FileServer {
    fn from(server: &Server) -> Self {
        // Health is not in files.
        let Server { address, mac, vlan, weight, state, health: _ } = server;
        Self {
            address: Some(address.to_string()),
            mac: match mac {
                ServerMac::Given(mac) => Some(mac.to_string()),
                ServerMac::Resolved { .. } | ServerMac::Unresolved => None,
            },
            vlan: vlan.map(|vlan| vlan.number().into()),
            weight: unless_default((*weight).into(), &1),
            state: unless_default(state.name(), &STATES[0].0).map(str::to_owned),
        }
    }
}
