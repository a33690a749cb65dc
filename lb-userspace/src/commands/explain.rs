//! `modlb explain`.

use anyhow::Result;
use lb_common::outcome::Outcome;

use super::input;
use crate::{
    cli::Explain,
    config::protocol::parse_protocol,
    datapath::Datapath,
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
        Some(file) => explain(&input::read(file)?, Host::default(), &packet)?,
        None => {
            let snapshot = Datapath::open(instance)?.snapshot();
            let own = Net::open()?.own_addresses().await?;
            let explained = explain(&snapshot.config, Host { places: &snapshot.places, own: &own }, &packet)?;
            if snapshot.control.standby() { ExplainView::of(Outcome::Standby) } else { explained }
        }
    };
    Ok(print(&explained, options.format.json)?)
}
