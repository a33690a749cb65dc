//! `modlb upgrade`.

use anyhow::Result;

use crate::{
    datapath::{Writer, attached},
    net::Net,
    output::print_text,
};

pub async fn run(instance: &str) -> Result<()> {
    let writer = Writer::open(instance)?;
    let group = writer.snapshot().config.group;
    for interface in attached(&writer, &Net::open()?).await? {
        writer.replace(&interface, &group)?;
        print_text(&format!("{}: the program is now that of modlb {}", interface.name, env!("CARGO_PKG_VERSION")))?;
    }
    Ok(())
}
