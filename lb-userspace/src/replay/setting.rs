//! What to replay, for which host, and how.

use std::net::IpAddr;

use lb_common::mac::Mac;

use super::scenario::Scenario;
use crate::config::model::Config;

/// What judges a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// The loaded program.
    Kernel,
    /// This process.
    Host,
}

/// What to replay, for which host.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The configuration in force.
    pub config: Config,
    /// The MACs whose frames are the balancer's.
    pub own_macs: Vec<Mac>,
    /// The balancer's addresses: no prefix service takes them, and a server that has one is the balancer itself.
    pub own_addresses: Vec<IpAddr>,
    /// The configurations to compare it with.
    pub scenarios: Vec<Scenario>,
}
