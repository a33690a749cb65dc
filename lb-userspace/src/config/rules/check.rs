//! Rules for health checks that depend on role and service.

use super::report::label;
use crate::config::{
    draft::Draft,
    model::{Kind, Role},
};

/// A line for each problem with health checks.
pub(super) fn problems(role: Role, services: &[Draft]) -> Vec<String> {
    let services = services.iter().enumerate();
    services
        .flat_map(|(index, service)| {
            let label = label(index, &service.name);
            problems_of(role, service).into_iter().map(move |problem| format!("{label}: {problem}"))
        })
        .collect()
}

/// A line for each problem with a service's health check.
fn problems_of(role: Role, service: &Draft) -> Vec<String> {
    let Some(check) = &service.check else { return Vec::new() };
    let mut problems = Vec::new();
    if role != Role::Balancer {
        problems.push(format!("check needs role = \"balancer\", not {:?}", role.name()));
    }
    if check.kind != Kind::Icmp && check.port.or(service.port.and_then(|port| u16::try_from(port).ok())).is_none() {
        problems.push(format!("check: kind = {:?} needs a port, as the service has none", check.kind.name()));
    }
    if let (Some(source), Some(address)) = (check.source, service.address)
        && source.is_ipv4() != address.addr().is_ipv4()
    {
        problems.push(format!("check: source {source} is not of the servers' address family"));
    }
    problems
}
