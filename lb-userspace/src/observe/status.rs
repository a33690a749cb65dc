//! An instance's snapshot → the views for commands, metrics and the page.

use anyhow::Result;
use ipnet::IpNet;
use lb_common::{abi::ABI, record::ServiceRecord};

use crate::{
    change::rollback,
    config::{
        model::{Group, Role, Server, Service, Vlan},
        protocol::protocol_name,
        standing::Standing,
    },
    datapath::{Datapath, Holder, Link, Location, Snapshot},
    decide::{config_digest, slots::Digest},
    net::Net,
    output::{Activity, InterfaceView, MemberView, ServerView, ServiceView, StatusView, UnconfirmedView},
};

/// Every name that [`state`] may return.
pub const STATES: &[&str] = &["up", "down", "failing", "unresolved"];

/// The name of a server's state in tables, metrics and the page.
pub const fn state(server: &ServerView) -> &'static str {
    server.state.name()
}

/// Whether a server takes flows.
pub const fn is_up(server: &ServerView) -> bool {
    server.state.takes_flows()
}

/// The view of what is in force, with these interfaces.
pub fn view(snapshot: &Snapshot, interfaces: Vec<InterfaceView>, unconfirmed: Option<UnconfirmedView>) -> StatusView {
    StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi: ABI,
        role: snapshot.config.role.name().to_owned(),
        state: if snapshot.control.standby() { Activity::Standby } else { Activity::Active },
        digest: digest(snapshot).to_string(),
        member: member(snapshot),
        unconfirmed,
        interfaces,
        services: service_views(snapshot),
    }
}

/// The change that waits for confirmation, if any.
///
/// # Errors
///
/// As for [`rollback::find`].
pub fn unconfirmed(instance: &str) -> Result<Option<UnconfirmedView>> {
    Ok(rollback::find(instance)?.map(|found| UnconfirmedView {
        rolls_back_in: found.pending.left().as_secs(),
        waiting: found.waiting,
        problem: found.pending.problem,
    }))
}

/// The digest of everything that decides where packets go.
fn digest(snapshot: &Snapshot) -> Digest {
    config_digest::digest(&snapshot.config, snapshot.services.iter().map(|record| Digest(record.digest)))
}

/// The member's part of the view.
fn member(snapshot: &Snapshot) -> Option<MemberView> {
    if snapshot.config.role != Role::Member {
        return None;
    }
    let services = snapshot.config.services.iter().zip(&snapshot.locations);
    let servers = services.flat_map(|(service, locations)| service.servers.iter().zip(locations));
    let mut own: Vec<_> =
        servers.filter(|(_, location)| **location == Location::Local).map(|(server, _)| server.address).collect();
    own.sort_unstable();
    own.dedup();
    let Group { own: _, mac: group_mac, promiscuous, answer_arp } = snapshot.config.group;
    Some(MemberView { own, group_mac, promiscuous, answer_arp })
}

/// An interface's link and program.
#[derive(Debug)]
pub struct Attachment {
    /// The interface's index when it was attached.
    index: u32,
    link: Link,
    /// Whether the program takes frames in several buffers.
    multi_buffer: bool,
    /// Whether a tracing program is swapped in.
    traced: bool,
}

/// The links of an instance.
///
/// # Errors
///
/// As for [`Datapath::links`].
pub fn attachments(datapath: &Datapath) -> crate::datapath::Result<Vec<Attachment>> {
    let traced = datapath.traced()?;
    let links = datapath.links()?.into_iter();
    Ok(links
        .map(|(index, link)| Attachment {
            index,
            link,
            multi_buffer: datapath.is_multi_buffer(index),
            traced: traced.contains(&index),
        })
        .collect())
}

/// The interfaces that an instance is attached to.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn interfaces(datapath: &Datapath) -> Result<Vec<InterfaceView>> {
    interface_views(attachments(datapath)?).await
}

/// The views of links that were read before.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn interface_views(attachments: Vec<Attachment>) -> Result<Vec<InterfaceView>> {
    let net = Net::open()?;
    let mut views = Vec::new();
    for Attachment { index, link, multi_buffer, traced } in attachments {
        let interface = match link.interface {
            Some(index) => Some(net.interface_by_index(index).await?),
            None => None,
        };
        let mode = match link.holder {
            Holder::Xdp => interface.as_ref().and_then(|interface| interface.xdp).map_or("none", |xdp| xdp.mode.name()),
            Holder::Tcx | Holder::Clsact => "egress",
        };
        views.push(InterfaceView {
            name: interface.map_or_else(|| "(gone)".to_owned(), |interface| interface.name),
            index,
            mode: mode.to_owned(),
            multi_buffer,
            traced,
            link: link.holder.name().to_owned(),
            program_id: link.program,
        });
    }
    Ok(views)
}

fn service_views(snapshot: &Snapshot) -> Vec<ServiceView> {
    let services = snapshot.config.services.iter().zip(&snapshot.services);
    services.map(|(service, record)| service_view(service, record)).collect()
}

fn service_view(service: &Service, record: &ServiceRecord) -> ServiceView {
    // How fragments are treated and servers are checked is for `export` to say.
    let Service { name, address, protocol, port, formula, selection, fragments: _, direction, check: _, servers } =
        service;
    ServiceView {
        name: name.clone(),
        address: destination(*address),
        protocol: protocol.map(|protocol| protocol_name(protocol).into_owned()),
        port: *port,
        formula: *formula,
        direction: *direction,
        selection: *selection,
        n: record.n,
        slots: record.slots,
        digest: Digest(record.digest).to_string(),
        servers: servers
            .iter()
            .zip(service.standings())
            .map(|(server, standing)| server_view(server, standing))
            .collect(),
    }
}

fn server_view(server: &Server, standing: Standing) -> ServerView {
    // The standing says what state and health come to.
    let Server { address, mac, vlan, weight, state: _, health: _ } = server;
    ServerView {
        address: *address,
        mac: mac.get(),
        vlan: vlan.map(Vlan::number),
        weight: *weight,
        state: standing,
        since: standing.since(),
        reason: standing.reason(interface_name),
    }
}

/// The name of an interface, or its index if it is gone.
fn interface_name(index: u32) -> String {
    nix::net::if_::if_indextoname(index)
        .map_or_else(|_| format!("interface {index}"), |name| name.to_string_lossy().into_owned())
}

/// A single address without its prefix length, a prefix with it.
fn destination(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
