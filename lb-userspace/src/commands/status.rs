//! `modlb status`, `services` and `servers`.

use anyhow::{Result, bail};
use lb_common::abi::ABI;

use crate::{
    agreement,
    cli::{self, Format},
    config::{
        model::{Group, Role, Service, Vlan},
        protocol::protocol_name,
    },
    datapath::{Datapath, Holder, Place, Snapshot},
    net::Net,
    output::{
        Activity, InterfaceView, MemberView, ServerView, ServersView, ServiceView, ServicesView, StatusView, print,
    },
    slots::Digest,
};

pub async fn status(instance: &str, options: &cli::Status) -> Result<()> {
    let view = view(instance).await?;
    print(&view, options.format.json)?;
    match options.expect_digest.map(|digest| digest.to_string()) {
        Some(expected) if expected != view.digest => bail!(
            "the digest is {}, not {expected}: this instance does not send every packet to the same server as the one that \
             {expected} was taken from; compare what `modlb export` prints on both",
            view.digest
        ),
        Some(_) | None => Ok(()),
    }
}

pub async fn services(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServicesView::from(view(instance).await?), format.json)?)
}

pub async fn servers(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServersView::from(view(instance).await?), format.json)?)
}

async fn view(instance: &str) -> Result<StatusView> {
    let datapath = Datapath::open(instance)?;
    let snapshot = datapath.snapshot();
    Ok(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi: ABI,
        role: snapshot.config.role.name().to_owned(),
        state: if snapshot.control.standby() { Activity::Standby } else { Activity::Active },
        digest: digest(&snapshot).to_string(),
        member: member(&snapshot),
        interfaces: interfaces(&datapath).await?,
        services: service_views(&snapshot),
    })
}

/// What the instance decides, as one number.
fn digest(snapshot: &Snapshot) -> Digest {
    agreement::digest(&snapshot.config, snapshot.services.iter().map(|record| Digest(record.digest)))
}

/// What a member shows of itself.
fn member(snapshot: &Snapshot) -> Option<MemberView> {
    if snapshot.config.role != Role::Member {
        return None;
    }
    let services = snapshot.config.services.iter().zip(&snapshot.places);
    let servers = services.flat_map(|(service, places)| service.servers.iter().zip(places));
    let mut own: Vec<_> =
        servers.filter(|(_, place)| **place == Place::Here).map(|(server, _)| server.address).collect();
    own.sort_unstable();
    own.dedup();
    let Group { own: _, mac: group_mac, promiscuous, answer_arp } = snapshot.config.group;
    Some(MemberView { own, group_mac, promiscuous, answer_arp })
}

/// Where an instance is attached, and how.
pub async fn interfaces(datapath: &Datapath) -> Result<Vec<InterfaceView>> {
    let net = Net::open()?;
    let mut views = Vec::new();
    let traced = datapath.told_of()?;
    if !traced.is_empty() && !datapath.is_being_traced() {
        log::warn!(
            "the command that traced this instance was killed, and its guard, too; `modlb upgrade`, or whatever changes the instance \
             next, puts the ordinary program back"
        );
    }
    for (index, link) in datapath.links()? {
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
            multi_buffer: datapath.is_multi_buffer(index),
            traced: traced.contains(&index),
            link: link.holder.name().to_owned(),
            program_id: link.program,
        });
    }
    Ok(views)
}

fn service_views(snapshot: &Snapshot) -> Vec<ServiceView> {
    let services = snapshot.config.services.iter().zip(&snapshot.services);
    services
        .map(|(service, record)| ServiceView {
            name: service.name.clone(),
            address: address(service),
            protocol: service.protocol.map(|protocol| protocol_name(protocol).into_owned()),
            port: service.port,
            formula: service.formula,
            direction: service.direction,
            selection: service.selection,
            n: record.n,
            slots: record.slots,
            digest: Digest(record.digest).to_string(),
            servers: service
                .servers
                .iter()
                .map(|server| ServerView {
                    address: server.address,
                    mac: server.mac.get(),
                    vlan: server.vlan.map(Vlan::number),
                    weight: server.weight,
                    state: server.state,
                })
                .collect(),
        })
        .collect()
}

/// An address as it is, a prefix with its length.
fn address(service: &Service) -> String {
    let net = service.address;
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
