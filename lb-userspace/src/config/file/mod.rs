//! The configuration file ↔ the model.
//!
//! Keywords, addresses and MACs are plain text in these types, because serde would stop at the first error.

mod check;
mod group;

use std::{fs, net::IpAddr, path::Path};

use ipnet::IpNet;
use lb_common::limits::DEFAULT_RESILIENT_SLOTS;
use serde::{Deserialize, Serialize};

use self::{check::FileCheck, group::FileSelf};
use super::{
    draft::{Draft, DraftServer},
    error::ConfigError,
    model::{Config, Direction, Formula, Fragments, Group, Role, Selection, Server, ServerMac, Service, State, target},
    protocol::{known_name, parse_protocol},
    rules,
};

/// Reads and validates a configuration file.
///
/// # Errors
///
/// The file cannot be read, is not TOML of the right shape, or breaks rules; then every problem is listed.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    read_for(path, None)
}

/// Like [`read`], for a host with this role, which the file may leave out.
///
/// # Errors
///
/// Those of [`read`]; the file has another role.
pub fn read_for(path: &Path, role: Option<Role>) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse_for(&text, role).map_err(|error| match error {
        ConfigError::Syntax { source, .. } => ConfigError::Syntax { path: Some(path.to_owned()), source },
        other @ (ConfigError::Read { .. } | ConfigError::Invalid(_)) => other,
    })
}

/// Reads and validates a configuration.
///
/// # Errors
///
/// Those of [`read`].
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_for(text, None)
}

/// Like [`parse`], for a host with this role.
///
/// # Errors
///
/// Those of [`read_for`].
pub fn parse_for(text: &str, role: Option<Role>) -> Result<Config, ConfigError> {
    let file: File =
        toml::from_str(text).map_err(|source| ConfigError::Syntax { path: None, source: Box::new(source) })?;
    file.validate(role)
}

/// The configuration as TOML that [`parse`]s back to an equal one, except for MACs that were resolved, which are left
/// out. So are defaults.
pub fn write(config: &Config) -> String {
    // It has only strings, numbers, booleans and tables, which TOML can always write.
    toml::to_string(&File::from(config)).unwrap_or_default()
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interfaces: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    own: Option<FileSelf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    promiscuous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_arp: Option<bool>,
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    services: Vec<FileService>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileService {
    name: String,
    address: String,
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
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl File {
    fn validate(self, role: Option<Role>) -> Result<Config, ConfigError> {
        let mut problems = Vec::new();
        let mut report = |problem| problems.push(problem);
        let written = word("role", self.role.as_deref(), &ROLES, &mut report);
        let role = match role {
            Some(role) if self.role.is_some() && role != written => {
                report(format!("role {:?} is not the role of this host, which is {:?}", written.name(), role.name()));
                role
            }
            Some(role) => role,
            None => written,
        };
        let group = Group {
            own: self.own.map_or_else(Vec::new, |own| own.addresses(&mut report)),
            mac: group::mac(self.group_mac, &mut report),
            promiscuous: self.promiscuous.unwrap_or_default(),
            answer_arp: self.answer_arp.unwrap_or_default(),
        };
        let services = self.services.into_iter().enumerate();
        let drafts: Vec<_> = services.map(|(index, service)| service.draft(index, role, &mut problems)).collect();
        problems.extend(rules::problems(role, &group, &self.interfaces, &drafts));
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(problems));
        }
        // Everything that makes a draft invalid has been reported by now.
        let services = drafts.into_iter().map(Draft::finish).collect::<Option<_>>();
        let services = services.ok_or(ConfigError::Invalid(problems))?;
        Ok(Config { interfaces: self.interfaces, role, group, services })
    }
}

/// The value of a word, or the default if there is none. A word that is not allowed is reported.
fn word<T: Copy>(key: &str, text: Option<&str>, allowed: &[(&str, T)], report: impl FnOnce(String)) -> T {
    let default = allowed[0].1;
    let Some(text) = text else { return default };
    let known = allowed.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.unwrap_or_else(|| {
        let words: Vec<_> = allowed.iter().map(|(word, _)| format!("{word:?}")).collect();
        report(format!("{key} {text:?} is not known; it is {}", words.join(" or ")));
        default
    })
}

impl FileService {
    fn draft(self, index: usize, role: Role, problems: &mut Vec<String>) -> Draft {
        let label = rules::label(index, &self.name);
        let mut report = |problem: String| problems.push(format!("{label}: {problem}"));
        Draft {
            address: address(&self.address, &mut report),
            protocol: protocol(self.protocol, &mut report),
            port: self.port,
            formula: word("formula", self.formula.as_deref(), &FORMULAS, &mut report),
            slots: slots(self.selection.as_deref(), self.slots, &mut report),
            fragments: word("fragments", self.fragments.as_deref(), &FRAGMENTS, &mut report),
            direction: match &self.direction {
                None => role.default_direction(),
                text => word("direction", text.as_deref(), &DIRECTIONS, &mut report),
            },
            check: self.check.map(|check| check.check(&mut report)),
            servers: self.servers.into_iter().map(|server| server.draft(&mut report)).collect(),
            name: self.name,
        }
    }
}

// In each table the default comes first.
const FORMULAS: [(&str, Formula); 2] =
    [(Formula::ThreeTuple.name(), Formula::ThreeTuple), (Formula::FiveTuple.name(), Formula::FiveTuple)];
const FRAGMENTS: [(&str, Fragments); 2] =
    [(Fragments::Pass.name(), Fragments::Pass), (Fragments::Balance.name(), Fragments::Balance)];
const ROLES: [(&str, Role); 3] =
    [(Role::Balancer.name(), Role::Balancer), (Role::Member.name(), Role::Member), (Role::Steer.name(), Role::Steer)];
const DIRECTIONS: [(&str, Direction); 3] = [
    (Direction::Forward.name(), Direction::Forward),
    (Direction::Reply.name(), Direction::Reply),
    (Direction::Both.name(), Direction::Both),
];
const STATES: [(&str, State); 2] = [(State::Up.name(), State::Up), (State::Down.name(), State::Down)];
const RESILIENT: Selection = Selection::Resilient { slots: DEFAULT_RESILIENT_SLOTS };
const SELECTIONS: [(&str, Selection); 2] =
    [(Selection::Modulo.name(), Selection::Modulo), (RESILIENT.name(), RESILIENT)];

fn address(text: &str, report: &mut impl FnMut(String)) -> Option<IpNet> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map_err(|_| report(format!("address {text:?} is not an IP address"))).ok()
}

fn protocol(protocol: Option<FileProtocol>, report: &mut impl FnMut(String)) -> Option<Option<u8>> {
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
fn slots(selection: Option<&str>, slots: Option<i64>, report: &mut impl FnMut(String)) -> Option<i64> {
    let mut known = true;
    let value = word("selection", selection, &SELECTIONS, |problem| {
        known = false;
        report(problem);
    });
    match (value, slots) {
        (Selection::Resilient { slots: default }, slots) => Some(slots.unwrap_or(default.into())),
        (Selection::Modulo, Some(slots)) if known => {
            report(format!("slots {slots} needs selection = \"resilient\""));
            None
        }
        (Selection::Modulo, _) => None,
    }
}

impl FileServer {
    fn draft(self, report: &mut impl FnMut(String)) -> DraftServer {
        let label = format!("server {}", self.address.escape_debug());
        let mut report = |problem: String| report(format!("{label}: {problem}"));
        let mac = match self.mac.as_deref().map(str::parse) {
            None => ServerMac::Unresolved,
            Some(Ok(mac)) => ServerMac::Given(mac),
            Some(Err(error)) => {
                report(format!("mac {:?} is {error}", self.mac.unwrap_or_default()));
                ServerMac::Unresolved
            }
        };
        let state = word("state", self.state.as_deref(), &STATES, &mut report);
        let address = self.address.parse().map_err(|_| {
            report("not an IP address".to_owned());
            self.address
        });
        DraftServer { address, mac, vlan: self.vlan, weight: self.weight.unwrap_or(1), state }
    }
}

/// The value, unless it is the default, which a file can leave out.
fn unless_default<T: PartialEq>(value: T, default: &T) -> Option<T> {
    (value != *default).then_some(value)
}

impl From<&Config> for File {
    fn from(config: &Config) -> Self {
        let Config { interfaces, role, group, services } = config;
        let Group { own, mac, promiscuous, answer_arp } = group;
        Self {
            interfaces: interfaces.clone(),
            role: unless_default(*role, &Role::default()).map(|role| role.name().to_owned()),
            own: FileSelf::from_addresses(own),
            group_mac: mac.map(|mac| mac.to_string()),
            promiscuous: unless_default(*promiscuous, &false),
            answer_arp: unless_default(*answer_arp, &false),
            services: services.iter().map(|service| FileService::new(service, *role)).collect(),
        }
    }
}

impl FileService {
    fn new(service: &Service, role: Role) -> Self {
        let Service { name, address, protocol, port, formula, selection, fragments, direction, check, servers } =
            service;
        let owned = |name: &str| name.to_owned();
        let protocol_word = |number: u8| match known_name(number) {
            Some(name) => FileProtocol::Name(name.to_owned()),
            None => FileProtocol::Number(number.into()),
        };
        Self {
            name: name.clone(),
            address: target(*address, None, None::<u16>),
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
            check: check.as_ref().map(FileCheck::from),
            servers: servers.iter().map(FileServer::from).collect(),
        }
    }
}

impl From<&Server> for FileServer {
    fn from(server: &Server) -> Self {
        // Health is not in files.
        let Server { address, mac, vlan, weight, state, health: _ } = server;
        Self {
            address: address.to_string(),
            mac: match mac {
                ServerMac::Given(mac) => Some(mac.to_string()),
                ServerMac::Resolved(_) | ServerMac::Unresolved => None,
            },
            vlan: vlan.map(|vlan| vlan.number().into()),
            weight: unless_default((*weight).into(), &1),
            state: unless_default(state.name(), &STATES[0].0).map(str::to_owned),
        }
    }
}
