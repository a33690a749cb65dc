//! Rules for configurations, whether read from a file or changed by a command.

mod address;
mod check;
mod group;
mod interfaces;
mod peers;
mod previous;
mod service;
mod warnings;

use super::{
    draft::Draft,
    error::ConfigError,
    model::{Config, Group, Peer, Role},
    problem::Finding,
    report::Report,
};

impl Config {
    /// Checks a configuration that was built or changed in the program by the rules for files.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let drafts: Vec<_> = self.services.iter().map(Draft::from).collect();
        let peers: Vec<_> = self.peers.iter().map(|peer| Some(*peer)).collect();
        let findings = findings(self.role, &self.group, &peers, &self.interfaces, &drafts);
        if findings.is_empty() { Ok(()) } else { Err(ConfigError::in_memory(findings)) }
    }
}

/// Every problem with a configuration. Peers that could not be read are `None`.
pub(super) fn findings(
    role: Role,
    group: &Group,
    peers: &[Option<Peer>],
    interfaces: &[String],
    services: &[Draft],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = Report::new(&mut findings);
    group::check(role, group, &mut report);
    peers::check(role, peers, &mut report);
    interfaces::check(interfaces, &mut report);
    group::check_services(role, services, &mut findings);
    service::check(services, &mut findings);
    previous::check(services, &mut findings);
    check::check(role, services, &mut findings);
    findings
}
