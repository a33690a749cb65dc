//! One difference between two configurations.

use std::{fmt, net::IpAddr};

use serde::Serialize;

use crate::config::model::health;

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A setting of the host changes: of a member or its group, a limit, or a balancer's peers.
    SettingChanged {
        /// The key.
        setting: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A service is added.
    ServiceAdded {
        /// Its name.
        service: String,
        /// Its destination.
        target: String,
        /// How many servers it has.
        servers: usize,
    },
    /// A service is removed.
    ServiceRemoved {
        /// Its name.
        service: String,
    },
    /// A property of a service changes.
    ServiceChanged {
        /// Its name.
        service: String,
        /// The property.
        property: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A server is added.
    ServerAdded {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
    },
    /// A server is removed.
    ServerRemoved {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
    },
    /// A property of a server changes.
    ServerChanged {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
        /// The property.
        property: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A consequence: a server that was taken down by hand takes flows again.
    BroughtBack {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
        /// Since when it has been down, in seconds since the epoch; 0: not known.
        down_since: u64,
    },
    /// Servers that stay are in another order, which the formula goes by.
    Reordered {
        /// The service's name.
        service: String,
    },
    /// A consequence: nothing is left to balance.
    Emptied,
    /// A consequence: flows move to other servers.
    FlowsMove {
        /// The service's name.
        service: String,
        /// N before.
        from: u32,
        /// N after.
        to: u32,
        /// How many flows, and how many of them `previous` covers, in words.
        share: String,
        /// How many of 100 flows.
        percent: u32,
        /// How many of 100 flows that move have their former owner in the lists of `previous`; `None`: the role does
        /// not go by them.
        #[serde(skip_serializing_if = "Option::is_none")]
        covered_percent: Option<u32>,
    },
}

/// What the property is called that earlier server lists are.
pub(super) const PREVIOUS: &str = "previous lists";

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingChanged { setting, from, to } => write!(f, "~ {setting} {from} → {to}"),
            Self::ServiceAdded { service, target, servers } => {
                let plural = if *servers == 1 { "" } else { "s" };
                write!(f, "+ service {service}: {target}, {servers} server{plural}")
            }
            Self::ServiceRemoved { service } => write!(f, "- service {service}"),
            Self::ServiceChanged { service, property: PREVIOUS, from, to } => {
                write!(f, "~ service {service}: {PREVIOUS} changed ({from} → {to})")
            }
            Self::ServiceChanged { service, property, from, to } => {
                write!(f, "~ service {service}: {property} {from} → {to}")
            }
            Self::ServerAdded { service, server } => write!(f, "+ server {service} {server}"),
            Self::ServerRemoved { service, server } => write!(f, "- server {service} {server}"),
            Self::ServerChanged { service, server, property: "state", to, .. } => {
                write!(f, "~ server {service} {server}: {to}")
            }
            Self::ServerChanged { service, server, property, from, to } => {
                write!(f, "~ server {service} {server}: {property} {from} → {to}")
            }
            Self::BroughtBack { service, server, down_since: 0 } => {
                write!(f, "! brings back {service} {server}, which was taken down by hand")
            }
            Self::BroughtBack { service, server, down_since } => {
                let ago = health::span(health::now().saturating_sub(*down_since));
                write!(f, "! brings back {service} {server}, which was taken down by hand {ago} ago")
            }
            Self::Reordered { service } => write!(f, "~ service {service}: order of the servers"),
            Self::Emptied => f.write_str("! no server is left in any service: nothing is balanced any more"),
            Self::FlowsMove { service, from, to, share, .. } if from == to => write!(f, "! service {service}: {share}"),
            Self::FlowsMove { service, from, to, share, .. } => {
                write!(f, "! service {service}: N {from} → {to}, {share}")
            }
        }
    }
}
