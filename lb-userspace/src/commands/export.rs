//! `modlb export`.

use anyhow::{Context as _, Result};

use crate::{
    change::by_hand,
    cli::Format,
    config::{
        file,
        model::{Config, health},
    },
    datapath::Datapath,
    net::Net,
    observe::status,
    output::print_text,
};

pub async fn run(instance: &str, format: Format) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    let interfaces =
        status::interfaces(&datapath, &Net::open()?).await?.into_iter().map(|interface| interface.name).collect();
    let config = Config { interfaces, ..datapath.snapshot().config };
    let text = file::write(&config);
    if !format.json {
        return Ok(print_text(&(remarks(&config) + &text))?);
    }
    let value: toml::Value = toml::from_str(&text).context("reading back what was exported")?;
    Ok(print_text(&serde_json::to_string(&value)?)?)
}

/// What is in force and in no configuration: a comment for each server that stays down whatever configurations say.
fn remarks(config: &Config) -> String {
    let lines = by_hand::staying_down(config, health::now());
    lines.into_iter().map(|line| format!("# {line}\n")).collect()
}
