//! Facts → findings. Nothing here reads anything.

pub mod host;
pub mod link;
pub mod server_side;
pub mod servers;
pub mod services;
pub mod xdp;

#[cfg(test)]
mod tests;

use super::{
    facts::{Host, Instance, Nic, ServerSide, Site},
    finding::Finding,
    ways::Ways,
};

/// Everything about a balancer, a member or who steers.
pub fn all(host: &Host, instance: &Instance, nics: &[Nic], site: &Site, ways: &Ways) -> Vec<Finding> {
    let mut findings = host::all(host, ways);
    findings.extend(host::instance(instance, ways));
    for nic in nics {
        findings.extend(link::all(nic, site, host, ways));
        findings.extend(xdp::all(nic, site, host, ways));
    }
    findings.extend(servers::all(site, ways));
    findings.extend(services::all(site, ways));
    findings
}

/// Everything about a server.
pub fn server(side: &ServerSide, ways: &Ways) -> Vec<Finding> {
    server_side::all(side, ways)
}
