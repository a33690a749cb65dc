//! The configuration file ↔ the model.
//!
//! Keywords, addresses and MACs are plain text in these types, because serde would stop at the first error.

mod check;
mod document;
mod group;
mod service;
mod splice;
mod words;

use std::{cell::OnceCell, fs, net::IpAddr, path::Path};

use lb_common::keep::HIGHEST_MAX_HAND_ONS;
use serde::{Deserialize, Serialize};

use self::{
    document::Document,
    group::FileSelf,
    service::FileService,
    words::{ROLES, unless_default, word},
};
use super::{
    draft::Draft,
    error::ConfigError,
    model::{Config, Group, Peer, PeerMac, Role},
    problem::{Finding, Place, Problem},
    report::Report,
    rules,
};

pub use self::splice::with_previous;

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
    parse_bytes(&bytes(path)?, role).map_err(|error| error.in_file(path.display()))
}

/// The bytes of a file.
///
/// # Errors
///
/// [`ConfigError::Read`].
pub fn bytes(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Like [`parse_for`], for what may not even be text.
///
/// # Errors
///
/// Those of [`read_for`].
pub fn parse_bytes(bytes: &[u8], role: Option<Role>) -> Result<Config, ConfigError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let place = Place::of(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]), error.valid_up_to());
        let text = "not UTF-8: a configuration is text".to_owned();
        ConfigError::Invalid { file: None, problems: vec![Problem { place: Some(place), text }] }
    })?;
    parse_for(text, role)
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
    let legible = OnceCell::new();
    let mut document = Document::parse(text, &legible);
    let mut findings = Vec::new();
    let config = document.read().and_then(|file: File| file.validate(role, &mut findings));
    let problems = document.problems(findings);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::Invalid { file: None, problems }),
    }
}

/// What [`write`] has written, whether or not it breaks rules: those of an earlier version may have allowed what is in
/// force.
///
/// # Errors
///
/// The text is not what [`write`] writes.
pub fn read_back(text: &str, role: Option<Role>) -> Result<Config, ConfigError> {
    let legible = OnceCell::new();
    let mut document = Document::parse(text, &legible);
    let config = document.read().and_then(|file: File| file.validate(role, &mut Vec::new()));
    let problems = document.problems(Vec::new());
    config.filter(|_| problems.is_empty()).ok_or(ConfigError::Invalid { file: None, problems })
}

/// The configuration as TOML that [`parse`]s back to an equal one, except for MACs that were resolved, which are left
/// out. So are defaults.
pub fn write(config: &Config) -> String {
    // It has only strings, numbers, booleans and tables, which TOML can always write.
    toml::to_string(&File::from(config)).unwrap_or_default()
}

/// Whether a text says that it has no server on purpose, so that it may replace what is in force.
pub fn is_empty_on_purpose(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Purpose {
        #[serde(default)]
        empty: bool,
    }
    toml::from_str::<Purpose>(text).is_ok_and(|purpose| purpose.empty)
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    empty: Option<bool>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hand_ons: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    peers: Vec<String>,
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    services: Vec<FileService>,
}

impl File {
    /// The configuration, unless a finding is the reason why there is none.
    fn validate(self, role: Option<Role>, findings: &mut Vec<Finding>) -> Option<Config> {
        let mut report = Report::new(findings);
        let written = word("role", self.role.as_deref(), &ROLES, |problem| report.add("role", problem));
        let role = match role {
            Some(role) if self.role.is_some() && role != written => {
                let (file, host) = (written.name(), role.name());
                report.add("role", format_args!("role {file:?} is not the role of this host, which is {host:?}"));
                role
            }
            Some(role) => role,
            None => written,
        };
        let group = Group {
            own: self.own.map_or_else(Vec::new, |own| own.addresses(&mut |problem| report.add("self", problem))),
            mac: group::mac(self.group_mac, &mut |problem| report.add("group_mac", problem)),
            promiscuous: self.promiscuous.unwrap_or_default(),
            answer_arp: self.answer_arp.unwrap_or_default(),
        };
        let max_hand_ons = self.max_hand_ons.and_then(|limit| max_hand_ons(limit, &mut report));
        let peers: Vec<_> = self.peers.iter().enumerate().map(|(index, text)| peer(index, text, &mut report)).collect();
        let services = self.services.into_iter().enumerate();
        let drafts: Vec<_> = services.map(|(index, service)| service.draft(index, role, findings)).collect();
        if self.empty == Some(true) && drafts.iter().any(|draft| !draft.servers.is_empty()) {
            let problem = "empty = true says that there is no server, and there are some; leave it out";
            Report::new(findings).add("empty", problem);
        }
        findings.extend(rules::findings(role, &group, &peers, &self.interfaces, &drafts));
        let services = drafts.into_iter().map(Draft::finish).collect::<Option<_>>()?;
        let peers = peers.into_iter().flatten().collect();
        let mut config = Config { interfaces: self.interfaces, role, group, max_hand_ons, peers, services };
        config.update_former_servers();
        Some(config)
    }
}

/// The limit of hand-ons. One that is out of range is reported.
fn max_hand_ons(limit: i64, report: &mut Report<'_>) -> Option<u32> {
    let known = u32::try_from(limit).ok().filter(|limit| *limit <= HIGHEST_MAX_HAND_ONS);
    if known.is_none() {
        report.add("max_hand_ons", format_args!("max_hand_ons {limit} is not from 0 to {HIGHEST_MAX_HAND_ONS}"));
    }
    known
}

/// One address has one form, as records have only that.
fn peer(index: usize, text: &str, report: &mut Report<'_>) -> Option<Peer> {
    let address = text.parse::<IpAddr>();
    let address =
        address.map_err(|_| report.add_item("peers", index, format_args!("peers: {text:?} is not an IP address")));
    Some(Peer { address: address.ok()?.to_canonical(), mac: PeerMac::Unresolved })
}

impl From<&Config> for File {
    fn from(config: &Config) -> Self {
        let Config { interfaces, role, group, max_hand_ons, peers, services } = config;
        let Group { own, mac, promiscuous, answer_arp } = group;
        let is_empty = services.iter().all(|service| service.servers.is_empty());
        Self {
            empty: is_empty.then_some(true),
            interfaces: interfaces.clone(),
            role: unless_default(*role, &Role::default()).map(|role| role.name().to_owned()),
            own: FileSelf::from_addresses(own),
            group_mac: mac.map(|mac| mac.to_string()),
            promiscuous: unless_default(*promiscuous, &false),
            answer_arp: unless_default(*answer_arp, &false),
            max_hand_ons: max_hand_ons.map(i64::from),
            peers: peers.iter().map(|Peer { address, mac: _ }| address.to_string()).collect(),
            services: services.iter().map(|service| FileService::new(service, *role)).collect(),
        }
    }
}
