//! Services between the file and the model: read, but not yet validated.
//!
//! Numbers are as wide as TOML's, so that a rule can name one that is out of range. Unreadable values are absent, so
//! that each mistake is reported once and neither hides nor causes others.

use std::net::IpAddr;

use ipnet::IpNet;

use super::model::{
    Check, Direction, Formula, Fragments, Health, PreviousServer, Selection, Server, ServerMac, Service, Sockets,
    State, Vlan,
};

/// A service that may still break rules.
pub(super) struct Draft {
    /// As written; `None`: missing, and reported.
    pub name: Option<String>,
    /// `None`: unreadable, and reported.
    pub address: Option<IpNet>,
    /// `None`: unreadable, and reported.
    pub protocol: Option<Protocol>,
    /// As written.
    pub port: Option<i64>,
    /// The formula.
    pub formula: Formula,
    /// The slots of `resilient`; `None`: `modulo`.
    pub slots: Option<i64>,
    /// The handling of fragments.
    pub fragments: Fragments,
    /// Which packets are taken.
    pub direction: Direction,
    /// Where its sockets are.
    pub sockets: Option<Sockets>,
    /// Its health check.
    pub check: Option<Check>,
    /// In the order of the file.
    pub servers: Vec<DraftServer>,
    /// The newest first. `None`: unreadable, and reported.
    pub previous: Vec<Vec<Option<PreviousServer>>>,
}

/// A protocol that could be read; `None`: any.
pub(super) type Protocol = Option<u8>;

/// A server that may still break rules.
pub(super) struct DraftServer {
    /// `Err`: the text, if it is not an address, which is reported.
    pub address: Result<IpAddr, String>,
    /// Its MAC.
    pub mac: ServerMac,
    /// As written.
    pub vlan: Option<i64>,
    /// As written.
    pub weight: i64,
    /// Whether it takes flows.
    pub state: State,
}

impl Draft {
    /// What messages call it.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The service, unless a value is unreadable or out of its type's range.
    pub fn finish(self) -> Option<Service> {
        Some(Service {
            name: self.name?,
            address: self.address?,
            protocol: self.protocol?,
            port: self.port.map(u16::try_from).transpose().ok()?,
            formula: self.formula,
            selection: match self.slots {
                None => Selection::Modulo,
                Some(slots) => Selection::Resilient { slots: u32::try_from(slots).ok()? },
            },
            fragments: self.fragments,
            direction: self.direction,
            sockets: self.sockets,
            check: self.check,
            servers: self.servers.into_iter().map(DraftServer::finish).collect::<Option<_>>()?,
            previous: self.previous.into_iter().map(|list| list.into_iter().collect()).collect::<Option<_>>()?,
        })
    }
}

impl DraftServer {
    /// What messages call it.
    pub fn label(&self) -> String {
        match &self.address {
            Ok(address) => format!("server {address}"),
            Err(text) => format!("server {}", text.escape_debug()),
        }
    }

    fn finish(self) -> Option<Server> {
        Some(Server {
            address: self.address.ok()?,
            mac: self.mac,
            vlan: self.vlan.map(|vlan| u16::try_from(vlan).map(Vlan::from_number)).transpose().ok()?,
            weight: u32::try_from(self.weight).ok()?,
            state: self.state,
            health: Health::default(),
        })
    }
}

impl From<&Service> for Draft {
    fn from(service: &Service) -> Self {
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
        Self {
            name: Some(name.clone()),
            address: Some(*address),
            protocol: Some(*protocol),
            port: port.map(i64::from),
            formula: *formula,
            slots: match *selection {
                Selection::Modulo => None,
                Selection::Resilient { slots } => Some(slots.into()),
            },
            fragments: *fragments,
            direction: *direction,
            sockets: sockets.clone(),
            check: check.clone(),
            // No rule is about the others.
            servers: servers.iter().filter(|server| !server.is_former()).map(DraftServer::from).collect(),
            previous: previous.iter().map(|list| list.iter().copied().map(Some).collect()).collect(),
        }
    }
}

impl From<&Server> for DraftServer {
    fn from(server: &Server) -> Self {
        // No rule is about health.
        let Server { address, mac, vlan, weight, state, health: _ } = server;
        Self {
            address: Ok(*address),
            mac: *mac,
            vlan: vlan.map(|vlan| vlan.number().into()),
            weight: (*weight).into(),
            state: *state,
        }
    }
}
