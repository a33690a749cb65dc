//! `modlb dev`.

use anyhow::Result;

use crate::{datapath, net::Net};

pub async fn pass(interface: &str, remove: bool) -> Result<()> {
    let interface = Net::open()?.interface(interface).await?;
    Ok(datapath::pass(&interface, remove)?)
}
