//! Facts → findings: pure.

pub mod balancers;
mod elsewhere;
pub mod host;
mod keep;
pub mod link;
mod listeners;
mod members;
mod queues;
pub mod room;
pub mod server_side;
pub mod servers;
pub mod services;
pub mod xdp;

#[cfg(test)]
mod tests;

use super::{
    command::CommandContext,
    facts::{HostFacts, Instance, Nic, ServerSide, Site},
    finding::Finding,
};

/// All checks of an instance's host, in any role.
pub fn all(host: &HostFacts, instance: &Instance, nics: &[Nic], site: &Site, context: &CommandContext) -> Vec<Finding> {
    let mut findings = host::all(host, context);
    findings.extend(host::instance(instance, context));
    for nic in nics {
        findings.extend(link::all(nic, site, host, context));
        findings.extend(xdp::all(nic, site, host, context));
    }
    findings.extend(room::all(site, context));
    findings.extend(servers::all(site, context));
    findings.extend(keep::all(site, context));
    findings.extend(members::all(site));
    findings.extend(services::all(site, context));
    findings.extend(balancers::all(site, context));
    findings
}

/// All checks of a server.
pub fn server(side: &ServerSide, context: &CommandContext) -> Vec<Finding> {
    server_side::all(side, context)
}
