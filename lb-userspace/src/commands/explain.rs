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
    datapath::{Datapath, Place},
    explain::{Host, Packet, explain},
    net::Net,
    output::{ExplainView, print},
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
            let places = places(&config).await?;
            explain(&config, Host { places: &places, own: &[] }, &packet)?
        }
        None => {
            let snapshot = Datapath::open(instance)?.snapshot();
            let own = Net::open()?.own_addresses().await?;
            let explained = explain(&snapshot.config, Host { places: &snapshot.places, own: &own }, &packet)?;
            if snapshot.control.standby() { ExplainView::of(Outcome::Standby) } else { explained }
        }
    };
    Ok(print(&explained, options.format.json)?)
}

/// Which servers this host would be, as a member that has the configuration; others need not know.
async fn places(config: &Config) -> Result<Vec<Vec<Place>>> {
    let own: HashSet<IpAddr> = match (config.role, &config.group.own[..]) {
        (Role::Balancer | Role::Steer, _) => return Ok(Vec::new()),
        (Role::Member, []) => Net::open()?.local_addresses().await?,
        (Role::Member, own) => own.iter().copied().collect(),
    };
    let place = |server: &Server| if own.contains(&server.address) { Place::Here } else { Place::Back };
    Ok(config.services.iter().map(|service| service.servers.iter().map(place).collect()).collect())
}
