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
    decide::explain::{Explanation, Packet, ThisHost, explain},
    net::Net,
    output::print,
};

pub async fn run(instance: &str, options: &Explain) -> Result<()> {
    let packet = Packet {
        source: options.source,
        destination: options.destination,
        protocol: parse_protocol(&options.protocol)?,
    };
    let explained = match &options.config {
        Some(file) => {
            let config = input::read(file)?;
            let here = here(&config).await?;
            explain(&config, ThisHost { here: &here, own: &[] }, &packet)?
        }
        None => {
            let snapshot = Datapath::open(instance)?.snapshot();
            let own = Net::open()?.own_addresses().await?;
            let is_here =
                |locations: &Vec<Location>| locations.iter().map(|location| *location == Location::Local).collect();
            let here: Vec<Vec<bool>> = snapshot.locations.iter().map(is_here).collect();
            let explained = explain(&snapshot.config, ThisHost { here: &here, own: &own }, &packet)?;
            if snapshot.control.standby() { Explanation::of(Outcome::Standby) } else { explained }
        }
    };
    Ok(print(&explained, options.format.json)?)
}

/// By service and server, whether the server is this host, for a member. Other roles do not need it.
async fn here(config: &Config) -> Result<Vec<Vec<bool>>> {
    let own: HashSet<IpAddr> = match (config.role, &config.group.own[..]) {
        (Role::Balancer | Role::Steer, _) => return Ok(Vec::new()),
        (Role::Member, []) => Net::open()?.local_addresses().await?,
        (Role::Member, own) => own.iter().copied().collect(),
    };
    let is_here = |server: &Server| own.contains(&server.address);
    Ok(config.services.iter().map(|service| service.servers.iter().map(is_here).collect()).collect())
}
