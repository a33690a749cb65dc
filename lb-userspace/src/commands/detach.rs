//! `modlb detach`.

use anyhow::{Result, bail};

use super::{attach::relocate, change::attached};
use crate::{
    cli::Detach,
    datapath::{self, Writer},
    net::{Interface, Net},
    output::print_text,
};

pub async fn run(instance: &str, options: &Detach) -> Result<()> {
    if options.interfaces.is_empty() {
        datapath::remove(instance)?;
        return Ok(print_text("detached; nothing is left")?);
    }
    let net = Net::open()?;
    let mut writer = Writer::open(instance)?;
    let (mut leave, mut stay) = (Vec::new(), attached(&writer, &net).await?);
    for name in &options.interfaces {
        match stay.iter().position(|interface| interface.name == *name) {
            Some(index) => leave.push(stay.remove(index)),
            None if leave.iter().any(|interface| interface.name == *name) => {}
            None => bail!("{name}: instance {instance} is not attached to it; `modlb status` shows where it is"),
        }
    }
    if stay.is_empty() {
        writer.remove()?;
        return Ok(print_text("detached; nothing is left")?);
    }
    for line in self::leave(&mut writer, &net, &leave, &stay).await? {
        print_text(&line)?;
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
