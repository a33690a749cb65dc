//! Rules for health checks that depend on role and service.

use crate::config::{
    draft::Draft,
    model::{Kind, Role},
    path::Path,
    problem::Finding,
    report::Report,
};

/// Reports every problem with health checks.
pub(super) fn check(role: Role, services: &[Draft], findings: &mut Vec<Finding>) {
    for (index, service) in services.iter().enumerate() {
        of_service(role, service, &mut Report::of_service(index, service.name(), findings));
    }
}

fn of_service(role: Role, service: &Draft, report: &mut Report<'_>) {
    let Some(check) = &service.check else { return };
    if !matches!(role, Role::Balancer | Role::Keep) {
        let text = format!("check needs role = \"balancer\" or \"keep\", not {:?}", role.name());
        report.add_unless("check", vec![Path::default().key("role")], text);
    }
    let port = check.port.or(service.port.and_then(|port| u16::try_from(port).ok()));
    // A service's port that is out of range has its own message.
    if check.kind != Kind::Icmp && port.is_none() && service.port.is_none() {
        let absent = vec![report.key("port"), report.key("check").key("port"), report.key("check").key("kind")];
        let kind = check.kind.name();
        report.add_unless(
            "check",
            absent,
            format_args!("check: kind = {kind:?} needs a port, as the service has none"),
        );
    }
    if let (Some(source), Some(address)) = (check.source, service.address)
        && source.is_ipv4() != address.addr().is_ipv4()
    {
        let text = format!("check: source {source} is not of the servers' address family");
        report.add_at(report.key("check").key("source"), text);
    }
}
