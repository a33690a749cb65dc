//! A service and its servers, as all views show them.

use std::net::IpAddr;

use lb_common::{formula::Formula, mac::Mac};
use serde::{Serialize, Serializer};

use super::{super::render::serialize_mac, sockets::SocketsView, transition::TransitionView};
use crate::config::{
    model::{Direction, Selection, health},
    standing::Standing,
};

/// A service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// Its address; a prefix with its length.
    pub address: String,
    /// A name or a number; `None`: any.
    pub protocol: Option<String>,
    /// `None`: any.
    pub port: Option<u16>,
    /// Its formula.
    #[serde(serialize_with = "serialize_formula")]
    pub formula: Formula,
    /// Which direction of its sessions it takes.
    #[serde(serialize_with = "serialize_direction")]
    pub direction: Direction,
    /// How slots are assigned to servers.
    #[serde(serialize_with = "serialize_selection")]
    pub selection: Selection,
    /// Role `keep`: where its sockets are, if not in the network namespace of the interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<SocketsView>,
    /// N, the sum of the weights.
    pub n: u32,
    /// T, the number of slots.
    pub slots: u32,
    /// The digest of the slot table: equal on balancers that agree.
    pub digest: String,
    /// Its servers, in the formula's order.
    pub servers: Vec<ServerView>,
    /// Its transition from other server lists, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionView>,
}

/// A server of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ServerView {
    /// Its address.
    pub address: IpAddr,
    /// Its MAC, if known.
    #[serde(serialize_with = "serialize_mac")]
    pub mac: Option<Mac>,
    /// The VLAN of its frames' outer tag; 0: no tag; `None`: tags stay as they are.
    pub vlan: Option<u16>,
    /// How many consecutive slots it takes; 0: only `previous` lists have it.
    pub weight: u32,
    /// `up` if it takes flows, otherwise `down`, `failing`, `unresolved` or `former`.
    #[serde(serialize_with = "serialize_standing")]
    pub state: Standing,
    /// When it entered a state other than `up`, in Unix time; `None`: unknown.
    pub since: Option<u64>,
    /// The reason for the state, in words.
    pub reason: Option<String>,
    /// What ends a state `down` that a command made: `next_file`, `time` or `server_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<&'static str>,
    /// When the agent brings it back, in Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u32>,
}

impl ServerView {
    /// Whether only `previous` lists have it.
    pub const fn is_former(&self) -> bool {
        self.weight == 0
    }

    /// For how long, and why, if it is not simply up.
    pub(super) fn remark(&self, now: u64) -> Option<String> {
        let duration = self.since.map(|since| format!("for {}", health::span(now.saturating_sub(since))));
        match (duration, &self.reason) {
            (Some(time), Some(reason)) => Some(format!("{time}: {reason}")),
            (Some(text), None) => Some(text),
            (None, Some(reason)) => Some(reason.clone()),
            (None, None) => None,
        }
    }
}

impl ServiceView {
    /// Its destination, like `203.0.113.10:443/tcp`; unspecified parts are left out.
    pub fn destination(&self) -> String {
        let mut text = match self.port {
            Some(port) if self.address.contains(':') => format!("[{}]:{port}", self.address),
            Some(port) => format!("{}:{port}", self.address),
            None => self.address.clone(),
        };
        if let Some(protocol) = &self.protocol {
            // A prefix already contains a slash.
            let separator = if self.address.contains('/') { " " } else { "/" };
            text = text + separator + protocol;
        }
        text
    }

    /// How many servers are up, of how many. Those that only `previous` lists have do not count.
    pub fn up(&self) -> (usize, usize) {
        let listed = || self.servers.iter().filter(|server| !server.is_former());
        (listed().filter(|server| server.state.takes_flows()).count(), listed().count())
    }

    /// `2/3`: two of three servers are up.
    pub(super) fn up_text(&self) -> String {
        let (up, all) = self.up();
        format!("{up}/{all}")
    }
}

/// Its name in output.
pub(super) const fn selection_name(selection: Selection) -> &'static str {
    match selection {
        Selection::Modulo => "modulo",
        Selection::Resilient { .. } => "resilient",
    }
}

fn serialize_direction<S: Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.name())
}

fn serialize_formula<S: Serializer>(formula: &Formula, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(formula.name())
}

fn serialize_selection<S: Serializer>(selection: &Selection, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(selection_name(*selection))
}

fn serialize_standing<S: Serializer>(standing: &Standing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(standing.name())
}
