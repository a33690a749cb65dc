//! `modlb explain`.

use std::{collections::HashSet, net::IpAddr};

use anyhow::Result;
use lb_common::outcome::Outcome;

use super::input;
use crate::{
    cli::Explain,
    config::{
        model::{Config, Role, Server},
        protocol::parse_protocol,
    },
    datapath::{Datapath, Location},
    decide::{
        explain::{Explanation, Packet, ThisHost, explain},
        peers::{PeerRule, adopt_servers_macs},
    },
    net::Net,
    output::print,
};

pub async fn run(instance: &str, options: &Explain) -> Result<()> {
    let packet = Packet {
        source: options.source,
        destination: options.destination,
        protocol: parse_protocol(&options.protocol)?,
        from: options.from,
    };
    let explained = match &options.config {
        Some(file) => {
            let mut config = input::read(file)?;
            adopt_servers_macs(&mut config);
            let here = here(&config).await?;
            let peers = rules(&config, &here);
            explain(&config, ThisHost { here: &here, peers: &peers, ..ThisHost::default() }, &packet)?
        }
        None => {
            let datapath = Datapath::open(instance)?;
            let (snapshot, own) = (datapath.snapshot(), datapath.own_addresses());
            let is_here =
                |locations: &Vec<Location>| locations.iter().map(|location| *location == Location::Local).collect();
            let here: Vec<Vec<bool>> = snapshot.locations.iter().map(is_here).collect();
            let peers = rules(&snapshot.config, &here);
            let host = ThisHost { here: &here, own: &own, peers: &peers, refinement: snapshot.refinement() };
            let explained = explain(&snapshot.config, host, &packet)?;
            if snapshot.control.standby() { Explanation::of(Outcome::Standby) } else { explained }
        }
    };
    Ok(print(&explained, options.format.json)?)
}

/// By service, whose frames are not balanced again.
fn rules(config: &Config, here: &[Vec<bool>]) -> Vec<PeerRule> {
    PeerRule::all(config, |service, server| here.get(service).is_some_and(|servers| servers[server]))
}

/// By service and server, whether the server is this host, for a member. Other roles do not need it.
async fn here(config: &Config) -> Result<Vec<Vec<bool>>> {
    let own: HashSet<IpAddr> = match (config.role, &config.group.own[..]) {
        (Role::Balancer | Role::Steer, _) => return Ok(Vec::new()),
        (Role::Member | Role::Keep, []) => Net::open()?.local_addresses().await?,
        (Role::Member | Role::Keep, own) => own.iter().copied().collect(),
    };
    let is_here = |server: &Server| own.contains(&server.address);
    Ok(config.services.iter().map(|service| service.servers.iter().map(is_here).collect()).collect())
}
