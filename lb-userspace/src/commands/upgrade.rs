//! `modlb upgrade`.

use anyhow::Result;

use super::if_running;
use crate::{
    change::upgrade::upgrade,
    cli::IfRunning,
    datapath::{Writer, attached},
    net::Net,
    output::print_text,
};

pub async fn run(instance: &str, if_running: IfRunning) -> Result<()> {
    if_running::forgive(try_run(instance).await, if_running)
}

async fn try_run(instance: &str) -> Result<()> {
    let net = Net::open()?;
    if let Some(lines) = upgrade(instance, &net).await? {
        return Ok(lines.iter().try_for_each(|line| print_text(line))?);
    }
    let mut writer = Writer::open(instance)?;
    let group = writer.snapshot().config.group;
    for interface in attached(&writer, &net).await? {
        writer.replace(&interface, &group)?;
        print_text(&format!("{}: the program is now that of modlb {}", interface.name, env!("CARGO_PKG_VERSION")))?;
    }
    Ok(())
}
