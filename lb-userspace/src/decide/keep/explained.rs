//! Who may hold a packet's connection and why, to be shown.

use std::{fmt, net::IpAddr};

use lb_common::flow::protocol;
use num_bigint::BigUint;
use serde::{Serialize, Serializer};

use super::{
    holders::{Holder, Reason, of_entries},
    members,
    ranking::{Entry, Ranker, is_alive, universe},
    ring::{self, Ring},
};
use crate::config::model::{Server, Service};

/// Who may hold a packet's connection, and who hands it on to whom.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Explained {
    /// Whether they are members of a group, which all receive every packet. Nothing is handed on there.
    #[serde(skip)]
    pub in_group: bool,
    /// The servers that may hold it, the likeliest first.
    pub holders: Vec<ExplainedHolder>,
    /// The same in the order in which they hand it on; the first follows the last. `None`: nothing is handed on, or the
    /// client's port, by which they are ordered, is not known.
    pub ring: Option<Vec<IpAddr>>,
}

/// A server that may hold a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ExplainedHolder {
    /// Its address.
    pub server: IpAddr,
    /// Why it may.
    #[serde(serialize_with = "serialize_reason")]
    pub reason: Reason,
}

impl Explained {
    /// Explains a flow of a service, by its sum and its ends, the client's first.
    pub fn of(
        service: &Service,
        sum: &BigUint,
        (client, client_port): (IpAddr, Option<u16>),
        destination: (IpAddr, u16),
    ) -> Self {
        let universe = universe(service);
        let holders = shown(of_entries(&entries(service, &universe, sum)), &universe);
        let flow = client_port.and_then(|port| ring::flow((client, port), destination, protocol::TCP));
        let ring = flow.map(|flow| Ring::new(flow, holders.iter().map(|holder| holder.server)).members().to_vec());
        Self { in_group: false, holders, ring }
    }

    /// Explains a flow of a service whose servers are members of a group.
    pub fn of_group(service: &Service, sum: &BigUint) -> Self {
        let universe = universe(service);
        let is_draining = |server: u16| service.servers.get(usize::from(server)).is_some_and(Server::is_down);
        let holders = shown(members::holders(&entries(service, &universe, sum), is_draining), &universe);
        Self { in_group: true, holders, ring: None }
    }
}

/// The entry of each list for a flow. Servers that only previous lists name count as alive.
fn entries(service: &Service, universe: &[IpAddr], sum: &BigUint) -> Vec<Entry> {
    let standings: Vec<_> = service.standings().collect();
    let others = || std::iter::repeat_n(true, universe.len() - standings.len());
    let alive: Vec<_> = standings.iter().map(is_alive).chain(others()).collect();
    let takes_flows: Vec<_> = service.takes_flows().into_iter().chain(others().map(|_| false)).collect();
    Ranker::new(service, universe, &alive, &takes_flows).entries(sum)
}

fn shown(holders: Vec<Holder>, universe: &[IpAddr]) -> Vec<ExplainedHolder> {
    let shown = |Holder { server, reason }| ExplainedHolder { server: universe[usize::from(server)], reason };
    holders.into_iter().map(shown).collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerNow => f.write_str("owner now"),
            Self::NextNow => f.write_str("next of the ranking"),
            Self::OwnerThen(list) => write!(f, "owner by previous list {list}"),
            Self::NextThen(list) => write!(f, "next by previous list {list}"),
        }
    }
}

fn serialize_reason<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}
