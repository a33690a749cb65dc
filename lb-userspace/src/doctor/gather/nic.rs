//! Facts about one interface.

use std::fs;

use anyhow::Result;
use aya::programs::{loaded_links, loaded_programs};

use super::settings::effective;
use crate::{
    datapath::{Datapath, link_programs},
    doctor::facts::{Controller, Namespace, Nic, Owner, Peer, Program},
    net::{Interface, Net, XdpInfo, details::Details, ethtool::Ethtool, namespaces::within},
};

/// Reads all facts about an interface.
pub async fn read(net: &Net, interface: &Interface, datapath: Option<&Datapath>, instance: &str) -> Result<Nic> {
    let name = &interface.name;
    let details = net.details(interface.index).await?;
    let ethtool = Ethtool::new(name)?;
    let links = datapath.map(Datapath::links).transpose()?.unwrap_or_default();
    let ours = links.iter().map(|(_, link)| link).find(|link| link.interface == Some(interface.index));
    let above = net.interfaces().await?;
    Ok(Nic {
        name: name.clone(),
        up: interface.up,
        carrier: details.carrier,
        mac: interface.mac,
        mtu: interface.mtu,
        driver: ethtool.driver().ok(),
        xdp: net.xdp_features(interface.index)?,
        program: interface.xdp.map(|xdp| program(xdp, ours.map(|link| link.program), instance)),
        attached: ours.is_some(),
        several_buffers: datapath.is_some_and(|datapath| datapath.is_multi_buffer(interface.index)),
        features: ethtool.features().unwrap_or_default(),
        channels: ethtool.channels().ok(),
        controller: controller(net, &details).await?,
        peer: peer(net, interface, &details).await?,
        vlans: above.into_iter().filter(|it| it.vlan_of == Some(interface.index)).map(|it| it.name).collect(),
        rp_filter: effective(name, "rp_filter"),
        kind: details.kind,
    })
}

fn program(xdp: XdpInfo, ours: Option<u32>, instance: &str) -> Program {
    let info = loaded_programs().flatten().find(|info| info.id() == xdp.program_id);
    let name = info.and_then(|info| info.name_as_str().map(str::to_owned)).unwrap_or_else(|| "a program".to_owned());
    Program { mode: xdp.mode, id: xdp.program_id, name, owner: owner(xdp.program_id, ours, instance) }
}

fn owner(id: u32, ours: Option<u32>, instance: &str) -> Owner {
    if ours == Some(id) {
        return Owner::Ours;
    }
    let known = link_programs();
    match known.into_iter().find(|(_, program)| *program == id) {
        Some((Some(other), _)) if other != instance => Owner::Instance(other),
        Some((Some(_), _)) => Owner::Ours,
        Some((None, _)) => Owner::Pass,
        None => Owner::Other(loaded_links().flatten().find(|link| link.program_id() == id).map(|link| link.id())),
    }
}

async fn controller(net: &Net, details: &Details) -> Result<Option<Controller>> {
    let Some(index) = details.controller else { return Ok(None) };
    let (above, kind) = (net.interface_by_index(index).await?, net.details(index).await?.kind);
    Ok(Some(Controller { name: above.name, kind: kind.unwrap_or_else(|| "controller".to_owned()), mac: above.mac }))
}

/// The other end of a veth, in whatever namespace.
async fn peer(net: &Net, interface: &Interface, details: &Details) -> Result<Option<Peer>> {
    let Some(index) = details.link.filter(|_| interface.veth) else { return Ok(None) };
    let Some(number) = details.link_namespace else {
        let peer = net.interface_by_index(index).await?;
        let vlan_offload = sends_tags_apart(&peer.name);
        return Ok(Some(Peer { program: peer.xdp.is_some(), name: peer.name, namespace: None, vlan_offload }));
    };
    // The kernel describes an interface in a namespace that has a number here, but does not name that namespace.
    let Ok(peer) = net.foreign_interface(index, number).await else {
        let name = format!("interface {index}");
        return Ok(Some(Peer { name, namespace: Some(Namespace::Unknown), program: false, vlan_offload: None }));
    };
    let namespace = find(&peer);
    let vlan_offload = namespace.as_deref().and_then(|netns| within(netns, || sends_tags_apart(&peer.name)).ok()?);
    let namespace = namespace.map_or(Namespace::Unknown, Namespace::Named);
    Ok(Some(Peer { program: peer.xdp.is_some(), name: peer.name, namespace: Some(namespace), vlan_offload }))
}

fn sends_tags_apart(name: &str) -> Option<bool> {
    let features = Ethtool::new(name).ok()?.features().ok()?;
    let is_on = |name| features.get(name).copied().unwrap_or_default();
    Some(is_on("tx-vlan-hw-insert") || is_on("tx-vlan-stag-hw-insert"))
}

/// The network namespace that has this interface: a named one, or the first process's.
fn find(interface: &Interface) -> Option<String> {
    let named = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = named.filter_map(|entry| entry.file_name().into_string().ok());
    names.chain(["/proc/1/ns/net".to_owned()]).find(|netns| within(netns, || has(interface)).unwrap_or_default())
}

/// Whether the network namespace of this thread has it.
fn has(interface: &Interface) -> bool {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
    runtime.block_on(async {
        let Ok(net) = Net::open() else { return false };
        let found = net.interface_by_index(interface.index).await;
        found
            .is_ok_and(|found| found.name == interface.name && found.mac == interface.mac && found.xdp == interface.xdp)
    })
}
