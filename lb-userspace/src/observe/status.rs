//! An instance's snapshot → the views for commands, metrics and the page.

use std::{collections::BTreeSet, net::IpAddr};

use anyhow::Result;
use ipnet::IpNet;
use lb_common::{abi::ABI, record::ServiceRecord};

use crate::{
    change::{inspect::Difference, rollback},
    config::{
        model::{ByHand, Group, Health, Peer, PeerMac, Role, Server, Service, Vlan},
        protocol::protocol_name,
        standing::Standing,
    },
    datapath::{Capacities, Datapath, Location, PortMode, Snapshot, ports},
    decide::{config_digest, slots::Digest},
    net::Net,
    output::{
        Activity, CapacityView, InterfaceView, KeepView, MemberView, PeerView, ProofView, ServerView, ServiceView,
        SocketsView, StatusView, TransitionView, UnconfirmedView, UseView,
    },
};

/// The state of a server in a few words, for tables.
pub fn short_state(server: &ServerView) -> &'static str {
    if server.by_hand.is_some() { "down (hand)" } else { state(server) }
}

/// Every name that [`state`] may return.
pub const STATES: &[&str] = &["up", "down", "failing", "unresolved", "former"];

/// The name of a server's state in tables, metrics and the page.
pub const fn state(server: &ServerView) -> &'static str {
    server.state.name()
}

/// Whether a server takes flows.
pub const fn is_up(server: &ServerView) -> bool {
    server.state.takes_flows()
}

/// Whether a server that the configuration lists takes no flows.
pub const fn is_out(server: &ServerView) -> bool {
    !is_up(server) && !server.is_former()
}

/// The view of what is in force, with these interfaces, and what is not as recorded.
pub fn view(
    snapshot: &Snapshot,
    interfaces: Vec<InterfaceView>,
    problems: &[Difference],
    unconfirmed: Option<UnconfirmedView>,
    capacity: CapacityView,
) -> StatusView {
    StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi: ABI,
        role: snapshot.config.role.name().to_owned(),
        state: if snapshot.control.standby() { Activity::Standby } else { Activity::Active },
        digest: digest(snapshot).to_string(),
        proof: (snapshot.config.role == Role::Balancer).then(ProofView::of_this_program),
        member: member(snapshot),
        keep: keep(snapshot),
        peers: snapshot.config.peers.iter().map(peer_view).collect(),
        unconfirmed,
        agent: None,
        interfaces,
        problems: problems.iter().map(ToString::to_string).collect(),
        capacity,
        services: service_views(snapshot),
    }
}

/// How much the instance holds, and can hold.
///
/// # Errors
///
/// As for [`Datapath::memory`].
pub fn capacity(datapath: &Datapath, snapshot: &Snapshot) -> crate::datapath::Result<CapacityView> {
    let Capacities { services, slots, servers } = *datapath.capacities();
    let record = &snapshot.record;
    Ok(CapacityView {
        services: UseView::new(record.services, services),
        slots: UseView::new(record.slots, slots),
        servers: UseView::new(record.servers, servers),
        memory_bytes: datapath.memory()?,
        refined_slots: snapshot.refinement().slots(),
        left_out: record.left_out,
    })
}

/// The change that waits for confirmation, if any.
///
/// # Errors
///
/// As for [`rollback::find`].
pub fn unconfirmed(instance: &str) -> Result<Option<UnconfirmedView>> {
    Ok(rollback::find(instance)?.map(|found| UnconfirmedView {
        rolls_back_in: found.left().map(|left| left.as_secs()),
        waiting: found.waiting,
        problem: found.problem(),
    }))
}

/// The digest of everything that decides where packets go.
fn digest(snapshot: &Snapshot) -> Digest {
    config_digest::digest(&snapshot.config, snapshot.services.iter().map(|record| Digest(record.digest)))
}

fn peer_view(peer: &Peer) -> PeerView {
    let Peer { address, mac } = *peer;
    PeerView { address, mac: mac.get(), this_host: mac == PeerMac::ThisHost }
}

/// The member's part of the view.
fn member(snapshot: &Snapshot) -> Option<MemberView> {
    if snapshot.config.role != Role::Member {
        return None;
    }
    let Group { own: _, mac: group_mac, promiscuous, answer_arp } = snapshot.config.group;
    Some(MemberView { own: own(snapshot), group_mac, promiscuous, answer_arp })
}

/// The part of the view of a server that keeps connections.
fn keep(snapshot: &Snapshot) -> Option<KeepView> {
    if snapshot.config.role != Role::Keep {
        return None;
    }
    let services = snapshot.config.services.iter().zip(&snapshot.locations);
    let others = services.filter(|(_, locations)| !locations.contains(&Location::Local));
    Some(KeepView {
        own: own(snapshot),
        no_server_of: others.map(|(service, _)| service.name.clone()).collect(),
        max_hand_ons: snapshot.config.hand_on_limit(),
    })
}

/// The servers that this host is.
fn own(snapshot: &Snapshot) -> Vec<IpAddr> {
    let services = snapshot.config.services.iter().zip(&snapshot.locations);
    let servers = services.flat_map(|(service, locations)| service.servers.iter().zip(locations));
    let own = servers.filter(|(_, location)| **location == Location::Local).map(|(server, _)| server.address);
    own.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The interfaces that an instance has been attached to.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn interfaces(datapath: &Datapath, net: &Net) -> Result<Vec<InterfaceView>> {
    let traced = datapath.traced()?;
    let ports = ports(datapath, net).await?;
    let views = ports.into_iter().map(|port| InterfaceView {
        index: port.index,
        mode: match port.mode {
            PortMode::Native | PortMode::Generic => port.mode.name(),
            PortMode::Tcx | PortMode::Clsact => datapath.role().tc_hook(),
        }
        .to_owned(),
        state: port.state.name().to_owned(),
        mac: port.mac,
        multi_buffer: datapath.is_multi_buffer(port.index),
        traced: traced.contains(&port.index),
        link: port.link.map_or("none", |link| link.holder.name()).to_owned(),
        program_id: port.link.map_or(0, |link| link.program),
        name: port.attached().map_or_else(|| port.name.clone(), |interface| interface.name.clone()),
    });
    Ok(views.collect())
}

fn service_views(snapshot: &Snapshot) -> Vec<ServiceView> {
    let services = snapshot.config.services.iter().zip(&snapshot.services);
    services.map(|(service, record)| service_view(service, record, snapshot.config.role)).collect()
}

fn service_view(service: &Service, record: &ServiceRecord, role: Role) -> ServiceView {
    // How fragments are treated and servers are checked is for `export` to say.
    let Service {
        name,
        address,
        protocol,
        port,
        formula,
        selection,
        fragments: _,
        direction,
        sockets,
        check: _,
        servers,
        previous,
    } = service;
    ServiceView {
        name: name.clone(),
        address: destination(*address),
        protocol: protocol.map(|protocol| protocol_name(protocol).into_owned()),
        port: *port,
        formula: *formula,
        direction: *direction,
        selection: *selection,
        // Other roles do not look for them.
        sockets: sockets
            .as_ref()
            .filter(|_| role == Role::Keep)
            .map(|sockets| SocketsView { netns: sockets.netns.to_string(), id: sockets.id }),
        n: record.n,
        slots: record.slots,
        digest: Digest(record.digest).to_string(),
        servers: servers
            .iter()
            .zip(service.standings())
            .map(|(server, standing)| server_view(server, standing))
            .collect(),
        transition: (!previous.is_empty())
            .then_some(TransitionView { since: record.transition_since, previous_lists: previous.len() }),
    }
}

fn server_view(server: &Server, standing: Standing) -> ServerView {
    // The standing says what state and health come to.
    let Server { address, mac, vlan, weight, state: _, health: Health { by_hand, .. } } = *server;
    ServerView {
        address,
        mac: mac.get(),
        vlan: vlan.map(Vlan::number),
        weight,
        state: server.shown(standing),
        since: standing.since(),
        reason: standing.reason(interface_name),
        by_hand: by_hand.map(ByHand::name),
        until: match by_hand {
            Some(ByHand::Until(until)) => Some(until),
            Some(ByHand::NextFile | ByHand::ServerUp) | None => None,
        },
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
