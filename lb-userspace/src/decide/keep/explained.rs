//! Who may hold a packet's connection and why, to be shown.

use std::{fmt, net::IpAddr};

use lb_common::flow::protocol;
use num_bigint::BigUint;
use serde::{Serialize, Serializer};

use super::{
    holders::{Reason, of_entries},
    ranking::{Ranker, is_alive, universe},
    ring::{self, Ring},
};
use crate::config::{model::Service, standing::Standing};

/// Who may hold a packet's connection, and who hands it on to whom.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Explained {
    /// The servers that may hold it, the likeliest first.
    pub holders: Vec<ExplainedHolder>,
    /// The same in the order in which they hand it on; the first follows the last. `None`: the client's port, by which
    /// they are ordered, is not known.
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
    /// Explains a flow of a service, by its sum and its ends, the client's first. Servers that only previous lists name
    /// count as alive.
    pub fn of(
        service: &Service,
        sum: &BigUint,
        (client, client_port): (IpAddr, Option<u16>),
        destination: (IpAddr, u16),
    ) -> Self {
        let universe = universe(service);
        let standings: Vec<_> = service.standings().collect();
        let marks = |mark: fn(&Standing) -> bool, others: bool| -> Vec<bool> {
            let others = std::iter::repeat_n(others, universe.len() - standings.len());
            standings.iter().map(mark).chain(others).collect()
        };
        let ranker = Ranker::new(service, &universe, &marks(is_alive, true), &marks(Standing::takes_flows, false));
        let holders = of_entries(&ranker.entries(sum)).into_iter();
        let holders: Vec<_> = holders
            .map(|holder| ExplainedHolder { server: universe[usize::from(holder.server)], reason: holder.reason })
            .collect();
        let flow = client_port.and_then(|port| ring::flow((client, port), destination, protocol::TCP));
        let ring = flow.map(|flow| Ring::new(flow, holders.iter().map(|holder| holder.server)).members().to_vec());
        Self { holders, ring }
    }
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
