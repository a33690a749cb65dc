//! The interfaces of an instance.

use anyhow::Result;

use crate::{
    datapath::store::Datapath,
    net::{Interface, Net},
};

/// The interfaces that an instance is attached to, without those that are gone.
pub async fn attached(datapath: &Datapath, net: &Net) -> Result<Vec<Interface>> {
    let mut interfaces = Vec::new();
    for (_, link) in datapath.links()? {
        if let Some(index) = link.interface {
            interfaces.push(net.interface_by_index(index).await?);
        }
    }
    Ok(interfaces)
}
