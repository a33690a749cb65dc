//! Views of an instance's counters.

use std::net::IpAddr;

use lb_common::{outcome::Outcome, table::Counter};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// Frames.
    pub packets: u64,
    /// Bytes of the frames as XDP sees them.
    pub bytes: u64,
}

impl From<Counter> for Traffic {
    fn from(counter: Counter) -> Self {
        Self { packets: counter.packets, bytes: counter.bytes }
    }
}

/// Every counter of an instance.
#[derive(Clone, Debug, Serialize)]
pub struct StatsView {
    /// By outcome.
    pub outcomes: OutcomesView,
    /// By service.
    pub services: Vec<ServiceStats>,
}

/// The counter of each outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutcomesView([Traffic; Outcome::COUNT as usize]);

/// The counters of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStats {
    /// Its name.
    pub name: String,
    /// The total of its servers, including servers no longer configured.
    #[serde(flatten)]
    pub total: Traffic,
    /// By server.
    pub servers: Vec<ServerStats>,
    /// Role `keep`: packets of connections that no server has, and that this host was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_last: Option<Traffic>,
}

/// The counter of a server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerStats {
    /// Its address.
    pub address: IpAddr,
    /// The packets sent to it.
    #[serde(flatten)]
    pub total: Traffic,
}

impl OutcomesView {
    /// Collects the counter of each outcome.
    pub fn new(mut counter: impl FnMut(Outcome) -> Traffic) -> Self {
        let mut counters = Self::default();
        for &outcome in Outcome::ALL {
            counters.0[outcome.index() as usize] = counter(outcome);
        }
        counters
    }

    /// The counter of one outcome.
    pub const fn get(&self, outcome: Outcome) -> Traffic {
        self.0[outcome.index() as usize]
    }
}

impl Serialize for OutcomesView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Outcome::ALL.len()))?;
        for &outcome in Outcome::ALL {
            map.serialize_entry(outcome.name(), &self.get(outcome))?;
        }
        map.end()
    }
}
