//! `modlb export`.

use anyhow::{Context as _, Result};

use crate::{
    cli::Format,
    config::{file, model::Config},
    datapath::Datapath,
    observe::status,
    output::print_text,
};

pub async fn run(instance: &str, format: Format) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    let interfaces = status::interfaces(&datapath).await?.into_iter().map(|interface| interface.name).collect();
    let text = file::write(&Config { interfaces, ..datapath.snapshot().config });
    if !format.json {
        return Ok(print_text(&text)?);
    }
    let value: toml::Value = toml::from_str(&text).context("reading back what was exported")?;
    Ok(print_text(&serde_json::to_string(&value)?)?)
}
