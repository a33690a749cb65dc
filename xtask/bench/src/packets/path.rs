//! A way to forward on a cable.

use std::path::Path as FilePath;

use anyhow::{Context as _, Result};

use crate::{
    frame::{Shape, Spread},
    gateway::servers_behind,
    modlb::Modlb,
    packets::{kernel, stream::Stream, way::Way},
    table::Table,
    wire::{EXIT, GATEWAY, Wire},
};

/// A way to forward, set up.
pub struct Path {
    /// The way.
    pub way: Way,
    /// The services that it forwards.
    pub table: Table,
    /// The packets that it gets.
    pub stream: Stream,
    /// The packets' shape.
    pub shape: Shape,
    // Before the cable's namespace, so that it is detached first.
    _modlb: Option<Modlb>,
    /// The cable that it is on.
    pub wire: Wire,
}

impl Path {
    /// Sets one up. Packets go to all services of the table that have their own address.
    pub fn new(way: Way, table: Table, modlb: &FilePath) -> Result<Self> {
        Self::on(Wire::new("packets", way.has_exit())?, way, table, modlb)
    }

    /// The same on this cable.
    pub fn on(wire: Wire, way: Way, table: Table, modlb: &FilePath) -> Result<Self> {
        Self::set_up(wire, way, table, modlb).with_context(|| format!("{} cannot be set up", way.name()))
    }

    fn set_up(mut wire: Wire, way: Way, table: Table, modlb: &FilePath) -> Result<Self> {
        let shape = way.shape(table.family);
        match way {
            Way::Floor => wire.attach("rewrite", GATEWAY)?,
            Way::Redirect => {
                wire.redirect_by(EXIT)?;
                wire.attach("redirect", GATEWAY)?;
            }
            Way::Nftables => kernel::nftables(&wire, &table)?,
            Way::Ecmp | Way::Route | Way::Transit => kernel::route(&wire, &table, way, &shape)?,
            Way::TwoArmed => servers_behind(&wire.namespace, EXIT)?,
            Way::Native | Way::Generic => {}
        }
        let attached = way.mode().map(|mode| attach(&wire, &table, modlb, mode)).transpose()?;
        if matches!(way, Way::Generic | Way::Nftables | Way::Ecmp | Way::Route) {
            kernel::accept_frames(&wire)?;
        }
        let services = if table.services > 1 { Spread::MANY.services } else { 0 };
        let spread = Spread { clients: Spread::MANY.clients, services };
        let stream = Stream::new(&shape, spread, wire.transmit());
        Ok(Self { way, table, stream, shape, _modlb: attached, wire })
    }
}

/// modlb on all interfaces that the gateway has.
fn attach(wire: &Wire, table: &Table, modlb: &FilePath, mode: &str) -> Result<Modlb> {
    let interfaces = if table.exit { format!("{GATEWAY} {EXIT}") } else { GATEWAY.to_owned() };
    let command = Modlb::new(modlb, &wire.namespace)?;
    command.attach(&format!("{interfaces} --mode {mode} {}", table.capacity()), &table.configuration())?;
    Ok(command)
}
