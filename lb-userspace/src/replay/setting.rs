//! What is replayed, on which host, and by whom.

use std::net::IpAddr;

use lb_common::mac::Mac;

use super::scenario::Scenario;
use crate::config::model::Config;

/// Who says what happens to a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// The loaded program.
    Kernel,
    /// This process.
    Host,
}

/// What is replayed, on which host.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// What is in force.
    pub config: Config,
    /// The MACs whose frames are the balancer's.
    pub own_macs: Vec<Mac>,
    /// The balancer's addresses: no prefix service takes them, and a server that has one is the balancer itself.
    pub own_addresses: Vec<IpAddr>,
    /// What could be otherwise.
    pub scenarios: Vec<Scenario>,
}
