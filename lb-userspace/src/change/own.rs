//! Which servers are this host.

use std::{collections::HashSet, net::IpAddr};

use crate::{
    config::model::Config,
    net::{self, Net},
};

/// The addresses at which servers are this host.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn own_addresses(net: &Net, config: &Config) -> net::Result<HashSet<IpAddr>> {
    match &config.group.own[..] {
        [] => net.local_addresses().await,
        own => Ok(own.iter().copied().collect()),
    }
}
