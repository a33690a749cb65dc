//! `modlb explain`.

use anyhow::Result;
use lb_common::outcome::Outcome;

use super::input;
use crate::{
    cli::Explain,
    config::protocol::parse_protocol,
    datapath::Datapath,
    explain::{Packet, explain},
    output::{ExplainView, print},
};

pub fn run(instance: &str, options: &Explain) -> Result<()> {
    let packet = Packet {
        source: options.source,
        destination: options.destination,
        protocol: parse_protocol(&options.protocol)?,
    };
    let explained = match &options.config {
        Some(file) => explain(&input::read(file)?, &[], &packet)?,
        None => {
            let snapshot = Datapath::open(instance)?.snapshot();
            let explained = explain(&snapshot.config, &snapshot.places, &packet)?;
            if snapshot.control.standby() { ExplainView::of(Outcome::Standby) } else { explained }
        }
    };
    Ok(print(&explained, options.format.json)?)
}
