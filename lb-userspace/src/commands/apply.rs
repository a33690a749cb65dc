//! `modlb apply`.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::{
    change::{ChangeRequest, change},
    input,
};
use crate::{
    change::{apply::ChangeOptions, by_hand, emptied, own::own_addresses, resolve::Refresh, sockets},
    cli::Apply,
    config::{
        file,
        model::{Config, health},
    },
    datapath::Datapath,
    net::Net,
    observe::status,
};

pub async fn run(instance: &str, options: &Apply) -> Result<()> {
    // A file may leave out the role.
    let running = Datapath::open(instance).ok();
    let (want, text) = input::read_with_text(&options.file, running.as_ref().map(Datapath::role))?;
    let allowed = || options.force || options.dry_run || file::is_empty_on_purpose(&text);
    warn_of_interfaces(instance, &want).await?;
    if !options.force {
        sockets::check(&want, &own_addresses(&Net::open()?, &want).await?)?;
    }
    let mut warnings = want.warnings();
    warnings.extend(running.map_or_else(Vec::new, |running| running.capacities().shortages(&want)));
    let request = ChangeRequest {
        dry_run: options.dry_run,
        json: options.format.json,
        confirm: options.confirm.map(|seconds| Duration::from_secs(seconds.into())),
        options: ChangeOptions { refresh: Refresh::All, force: options.force, must_find: None },
    };
    let (name, mut want) = (input::name(&options.file), want);
    change(instance, request, |have| {
        emptied::refuse(have, &want, allowed)
            .map_err(|error| anyhow!("{name}: {error}, or apply it with `--force`"))?;
        by_hand::keep(have, &mut want, health::now());
        warnings.extend(by_hand::staying_down(&want, health::now()));
        Ok(want)
    })
    .await?;
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
    Ok(())
}

/// Warns if the file names other interfaces, which only `attach` and `detach` change.
async fn warn_of_interfaces(instance: &str, want: &Config) -> Result<()> {
    if want.interfaces.is_empty() {
        return Ok(());
    }
    let attached: Vec<_> = status::interfaces(&Datapath::open(instance)?, &Net::open()?)
        .await?
        .into_iter()
        .map(|interface| interface.name)
        .collect();
    let differ = |a: &[String], b: &[String]| a.iter().any(|name| !b.contains(name));
    if differ(&want.interfaces, &attached) || differ(&attached, &want.interfaces) {
        log::warn!(
            "the configuration names the interfaces {}, the instance is attached to {}; `modlb attach` and `modlb detach` \
             change that",
            want.interfaces.join(", "),
            attached.join(", ")
        );
    }
    Ok(())
}
