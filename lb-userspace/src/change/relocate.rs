//! Moves the configuration in force to another set of interfaces.

use anyhow::Result;

use super::{
    resolve::{Egress, Form, Refresh, Resolved, UnresolvedServer, resolve},
    steps::{Interrupt, Steps},
};
use crate::{
    datapath::{Placed, Snapshot, Writer},
    net::{self, Interface, Net},
};

/// Publishes the configuration in force again, for another set of interfaces. Servers that cannot be reached by them
/// become unresolved. Nothing is published if nothing changes. Returns the unresolved servers.
///
/// # Errors
///
/// The network cannot be read, or the command was interrupted.
pub async fn relocate(
    steps: &mut Steps,
    writer: &mut Writer,
    net: &Net,
    interfaces: &[Interface],
    form: Form,
) -> Result<Vec<UnresolvedServer>> {
    let have = writer.snapshot();
    let Resolved { placed, unresolved } = place_again(net, interfaces, form, &have).await?;
    if differs(&placed, &have) {
        let before = Placed::new(have.config, have.locations, placed.own.clone());
        steps.publish(writer, &placed, before).await?;
    }
    Ok(unresolved)
}

/// Where the servers in force are now, for these interfaces. Asks nobody but the kernel.
///
/// # Errors
///
/// The network cannot be read.
pub async fn place_again(net: &Net, interfaces: &[Interface], form: Form, have: &Snapshot) -> net::Result<Resolved> {
    let egress = Egress::new(net, interfaces, form);
    resolve(net, &egress, have.config.clone(), have, Refresh::Routes).await
}

/// Whether a configuration differs from what is in force, for packets or for readers.
pub fn differs(placed: &Placed, have: &Snapshot) -> bool {
    placed.config != have.config || placed.locations != have.locations || placed.own_digest() != have.record.own
}

/// Detaches an instance from some of its interfaces. Returns a line for each.
///
/// # Errors
///
/// The network cannot be read, or the command was interrupted before the first interface was left.
pub async fn leave(
    writer: &mut Writer,
    net: &Net,
    leave: &[Interface],
    stay: &[Interface],
    interrupt: Interrupt,
) -> Result<Vec<String>> {
    // Servers behind the interfaces that are left are unresolved first, while every interface still sends to the right
    // link. The shortest form is right only when nothing else is attached.
    let mut steps = Steps::new(interrupt);
    if let Err(error) = relocate(&mut steps, writer, net, stay, Form::Explicit).await {
        steps.undo(writer);
        return Err(error);
    }
    let mut lines = Vec::new();
    for interface in leave {
        writer.detach(interface.index)?;
        lines.push(format!("detached from {}", interface.name));
    }
    relocate(&mut Steps::new(Interrupt::default()), writer, net, stay, Form::Shortest).await?;
    Ok(lines)
}
