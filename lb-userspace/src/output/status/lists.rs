//! What `services` and `servers` print.

use serde::Serialize;

use super::{
    super::render::{Render, or_dash, table},
    service::{ServerView, ServiceView, selection_name},
};
use crate::config::model::{Vlan, health};

/// What `modlb services` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ServicesView(pub Vec<ServiceView>);

/// What `modlb servers` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ServersView(pub Vec<ServerRow>);

/// A server and the service that it belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct ServerRow {
    /// The service's name.
    pub service: String,
    /// The server.
    #[serde(flatten)]
    pub server: ServerView,
}

/// The services in transition, and those whose sockets are elsewhere, a line for each.
pub(super) fn remarks(services: &[ServiceView]) -> String {
    let transitions =
        services.iter().filter_map(|it| Some(format!("transition: {}, {}", it.name, it.transition?.render())));
    let sockets =
        services.iter().filter_map(|it| Some(format!("sockets: {}, {}", it.name, it.sockets.as_ref()?.render())));
    let lines: Vec<_> = transitions.chain(sockets).collect();
    if lines.is_empty() { String::new() } else { format!("\n\n{}", lines.join("\n")) }
}

impl Render for ServicesView {
    fn render(&self) -> String {
        let columns = ["service", "destination", "formula", "selection", "up", "N", "slots"];
        let mut services = table(&columns, &["up", "N", "slots"]);
        for s in &self.0 {
            let (n, slots) = (s.n.to_string(), s.slots.to_string());
            let (formula, selection) = (s.formula.name(), selection_name(s.selection));
            services.add_row([&s.name, &s.destination(), formula, selection, &s.up_text(), &n, &slots]);
        }
        services.trim_fmt() + &remarks(&self.0)
    }
}

impl Render for ServersView {
    fn render(&self) -> String {
        let now = health::now();
        let mut servers = table(&["service", "server", "mac", "vlan", "weight", "state"], &["vlan", "weight"]);
        for ServerRow { service, server } in &self.0 {
            let weight = or_dash(Some(server.weight).filter(|_| !server.is_former()));
            let address = server.address.to_string();
            let (mac, vlan) = (or_dash(server.mac), or_dash(server.vlan.map(Vlan::from_number)));
            let remark = server.remark(now).map_or_else(String::new, |remark| format!(" {remark}"));
            let state = format!("{}{remark}", server.state.name());
            servers.add_row([service, &address, &mac, &vlan, &weight, &state]);
        }
        servers.trim_fmt()
    }
}
