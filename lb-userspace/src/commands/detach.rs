//! `modlb detach`.

use anyhow::{Result, bail};

use super::if_running;
use crate::{
    change::{relocate::leave, steps::Interrupt},
    cli::Detach,
    datapath::{self, Writer, attached},
    net::{self, Net},
    output::{end_waits_on, print_text},
};

pub async fn run(instance: &str, options: &Detach) -> Result<()> {
    if_running::forgive(detach(instance, options).await, options.if_running)
}

async fn detach(instance: &str, options: &Detach) -> Result<()> {
    if options.interfaces.is_empty() {
        datapath::remove(instance)?;
        return Ok(print_text("detached; nothing is left")?);
    }
    end_waits_on(&[libc::SIGINT])?;
    let net = Net::open()?;
    let mut writer = Writer::open(instance)?;
    let (mut leaving, mut stay) = (Vec::new(), attached(&writer, &net).await?);
    for name in &options.interfaces {
        match stay.iter().position(|interface| interface.name == *name) {
            Some(index) => leaving.push(stay.remove(index)),
            None if leaving.iter().any(|interface| interface.name == *name) => {}
            None if let Err(error @ net::Error::AlternativeName { .. }) = net.interface(name).await => {
                return Err(error.into());
            }
            None => bail!("{name}: instance {instance} is not attached to it; `modlb status` shows where it is"),
        }
    }
    if stay.is_empty() {
        writer.remove()?;
        return Ok(print_text("detached; nothing is left")?);
    }
    for line in leave(&mut writer, &net, &leaving, &stay, Interrupt::on_ctrl_c()).await? {
        print_text(&line)?;
    }
    Ok(())
}
