//! Facts about services and servers, from the configuration and from the links.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};

use anyhow::Result;
use lb_common::mac::Mac;

use super::keep;
use crate::{
    config::model::{Config, Peer, Role, Server, ServerMac, Vlan},
    datapath::Datapath,
    decide::slots::Refinement,
    doctor::{
        checks::services,
        facts::{PeerFacts, Room, ServerFacts, Site},
        probe::{Link, Question, listen},
    },
    net::{Interface, Net, details::Address, sockets::listeners},
};

/// How long to wait for answers.
const TIME: Duration = Duration::from_secs(1);

/// Asks for every server, and for other machines with the services' addresses.
pub async fn read(net: &Net, config: Config, datapath: Option<&Datapath>, attached: &[Interface]) -> Result<Site> {
    let addresses = net.addresses().await?;
    let interfaces = net.interfaces().await?;
    let own = |address: IpAddr| addresses.iter().any(|own| own.address == address);
    let servers =
        config.services.iter().flat_map(|service| service.servers.iter().map(move |server| (service, server)));
    let here = servers.clone().any(|(_, server)| own(server.address));

    let known = known_macs(datapath);
    let (mut facts, mut questions) = (BTreeMap::new(), HashMap::<u32, Vec<Question>>::new());
    let states = net.neighbour_states().await?;
    // One that was taken down may hold connections, which role `keep` hands on to it.
    let is_asked = |server: &Server| config.role == Role::Keep || !server.is_down();
    for (service, server) in servers.filter(|(_, server)| is_asked(server) && !own(server.address)) {
        let address = server.address;
        if facts.contains_key(&address) {
            continue;
        }
        let route = route(net, &interfaces, attached, address, server.vlan).await;
        if let Ok(interface) = &route {
            questions.entry(interface.index).or_default().push(question(&addresses, interface, address));
        }
        let given = matches!(server.mac, ServerMac::Given(_));
        facts.insert(
            address,
            ServerFacts {
                service: service.name.clone(),
                address,
                mac: server.mac.get().or_else(|| known.get(&address).copied()),
                given,
                former: server.is_former(),
                entry: route.as_ref().ok().and_then(|it| states.get(&(address, it.index)).cloned()),
                route: route.map(|interface| interface.name.clone()),
                answers: BTreeSet::new(),
            },
        );
    }
    let known = known_peers(datapath);
    let mut peers = BTreeMap::new();
    for &Peer { address, mac } in config.peers.iter().filter(|peer| !own(peer.address)) {
        let mac = mac.get().or_else(|| known.get(&address).copied());
        peers.insert(address, PeerFacts { address, mac, answers: BTreeSet::new() });
        // One that is a server is asked for already.
        if !facts.contains_key(&address)
            && let Ok(interface) = route(net, &interfaces, attached, address, None).await
        {
            questions.entry(interface.index).or_default().push(question(&addresses, interface, address));
        }
    }
    let announced = services::addresses(&config.services);
    for interface in attached.iter().filter(|interface| interface.up) {
        let probes = announced.iter().map(|address| Question { target: *address, source: None });
        questions.entry(interface.index).or_default().extend(probes);
    }
    let mut answers = Vec::new();
    for (interface, address, mac) in ask(&interfaces, &questions)? {
        let peer = peers.get_mut(&address).map(|peer| peer.answers.insert(mac)).is_some();
        match facts.get_mut(&address) {
            None if peer => {}
            Some(server) if server.route.as_ref() == Ok(&interface) => drop(server.answers.insert(mac)),
            Some(_) | None => answers.push((address, interface, mac)),
        }
    }
    let keep = if config.role == Role::Keep { Some(keep::read(net, &config).await?) } else { None };
    let listeners = if config.role == Role::Member { listeners()? } else { Vec::new() };
    Ok(Site {
        role: config.role,
        keep,
        listeners,
        room: datapath.map(|datapath| room(datapath, &config)),
        config,
        servers: facts.into_values().collect(),
        peers: peers.into_values().collect(),
        here,
        answers,
        addresses,
        names: interfaces.into_iter().map(|interface| (interface.index, interface.name)).collect(),
        standby: datapath.is_some_and(Datapath::standby),
    })
}

/// A question for an address on an interface's link. It needs a source that whoever has the address would answer.
fn question(addresses: &[Address], interface: &Interface, target: IpAddr) -> Question {
    let mut own = addresses.iter();
    let source =
        own.find(|own| own.interface == interface.index && own.address.is_ipv4() == target.is_ipv4() && !own.duplicate);
    Question { target, source: source.map(|own| own.address) }
}

/// The MACs from which an instance expects each peer's frames.
fn known_peers(datapath: Option<&Datapath>) -> HashMap<IpAddr, Mac> {
    let peers = datapath.map(|datapath| datapath.snapshot().config.peers).unwrap_or_default();
    peers.into_iter().filter_map(|peer| Some((peer.address, peer.mac.get()?))).collect()
}

/// The instance's room, for this configuration.
fn room(datapath: &Datapath, config: &Config) -> Room {
    let snapshot = datapath.snapshot();
    let refinement = snapshot.refinement();
    Room {
        shortages: datapath.capacities().shortages(config),
        coarser: (refinement != Refinement::default()).then(|| refinement.to_string()),
        left_out: snapshot.record.left_out,
    }
}

/// The MACs to which an instance sends each server's packets.
fn known_macs(datapath: Option<&Datapath>) -> HashMap<IpAddr, Mac> {
    let config = datapath.map(|datapath| datapath.snapshot().config).unwrap_or_default();
    let servers = config.services.into_iter().flat_map(|service| service.servers);
    servers.filter_map(|server| Some((server.address, server.mac.get()?))).collect()
}

/// The interface on whose link a server or a peer is.
async fn route<'a>(
    net: &Net,
    interfaces: &'a [Interface],
    attached: &[Interface],
    address: IpAddr,
    vlan: Option<Vlan>,
) -> Result<&'a Interface, String> {
    let found = net.route(address).await.map_err(|error| error.to_string())?;
    if let Some(gateway) = found.gateway {
        return Err(format!("it is behind the router {gateway}, so its MAC is of no use"));
    }
    let found = interfaces.iter().find(|interface| interface.index == found.interface);
    let found = found.ok_or_else(|| "its interface is gone".to_owned())?;
    match vlan {
        // An untagged question would not reach it.
        Some(Vlan::Tagged(vlan)) if attached.iter().any(|interface| interface.index == found.index) => {
            Err(format!("it is in VLAN {vlan}, where this host has no interface"))
        }
        Some(Vlan::Tagged(_) | Vlan::Untagged) | None => Ok(found),
    }
}

/// Asks on all links at once, twice: a switch may have forgotten a port, and a question may be lost.
fn ask(interfaces: &[Interface], questions: &HashMap<u32, Vec<Question>>) -> Result<Vec<(String, IpAddr, Mac)>> {
    let (mut names, mut links) = (Vec::new(), Vec::new());
    for interface in interfaces {
        let (Some(asked), Some(mac)) = (questions.get(&interface.index), interface.mac) else { continue };
        if asked.is_empty() || !interface.up {
            continue;
        }
        names.push((interface.name.clone(), asked));
        links.push(Link::open(interface.index, mac)?);
    }
    for _ in 0..2 {
        for (link, (name, asked)) in links.iter().zip(&names) {
            for question in *asked {
                if let Err(error) = link.ask(question) {
                    log::debug!("{name}: cannot ask for {}: {error}", question.target);
                }
            }
        }
        listen(&mut links, TIME / 2)?;
    }
    let answers = links.iter().zip(&names).flat_map(|(link, (name, asked))| {
        let answers = link.answers().iter().filter(|(address, _)| asked.iter().any(|it| it.target == *address));
        answers.map(|(address, mac)| (name.clone(), *address, *mac))
    });
    Ok(answers.collect())
}
