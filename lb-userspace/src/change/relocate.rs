//! Moves the configuration in force to another set of interfaces.

use anyhow::Result;

use super::resolve::{self, Refresh, Resolved, resolve};
use crate::{
    datapath::Writer,
    net::{Interface, Net},
};

/// Publishes the configuration again, for another set of interfaces.
pub async fn relocate(writer: &mut Writer, net: &Net, interfaces: &[Interface]) -> Result<()> {
    let have = writer.snapshot();
    let Resolved { placed, unresolved } =
        resolve(net, interfaces, have.config.clone(), &have, Refresh::Unknown).await?;
    resolve::warn(&unresolved);
    if placed.config != have.config || placed.locations != have.locations || !placed.own.is_empty() {
        let prepared = writer.prepare(&placed)?;
        writer.publish(&prepared)?;
    }
    Ok(())
}

/// Detaches an instance from some of its interfaces. Returns a line for each.
pub async fn leave(writer: &mut Writer, net: &Net, leave: &[Interface], stay: &[Interface]) -> Result<Vec<String>> {
    // First publish, so that no server is behind an interface that is detached.
    relocate(writer, net, stay).await?;
    leave
        .iter()
        .map(|interface| {
            writer.detach(interface.index)?;
            Ok(format!("detached from {}", interface.name))
        })
        .collect()
}
