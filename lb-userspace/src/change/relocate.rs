//! The configuration that is in force, published again for another set of interfaces.

use anyhow::Result;

use super::resolve::{self, Refresh, Resolved, resolve};
use crate::{
    datapath::Writer,
    net::{Interface, Net},
};

/// Publishes the configuration anew for another set of interfaces.
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

/// Detaches from some of an instance's interfaces. A line for each.
pub async fn leave(writer: &mut Writer, net: &Net, leave: &[Interface], stay: &[Interface]) -> Result<Vec<String>> {
    // Servers first, that none is looked for behind an interface that is given up.
    relocate(writer, net, stay).await?;
    leave
        .iter()
        .map(|interface| {
            writer.detach(interface.index)?;
            Ok(format!("detached from {}", interface.name))
        })
        .collect()
}
