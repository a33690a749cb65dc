//! `modlb apply`.

use std::time::Duration;

use anyhow::Result;

use super::{
    change::{ChangeRequest, change},
    input,
};
use crate::{
    change::{apply::ChangeOptions, resolve::Refresh},
    cli::Apply,
    config::model::Config,
    datapath::Datapath,
    observe::status,
};

pub async fn run(instance: &str, options: &Apply) -> Result<()> {
    // A file may leave out the role.
    let role = Datapath::open(instance).ok().map(|datapath| datapath.role());
    let want = input::read_for(&options.file, role)?;
    warn_of_interfaces(instance, &want).await?;
    let request = ChangeRequest {
        dry_run: options.dry_run,
        json: options.format.json,
        confirm: options.confirm.map(|seconds| Duration::from_secs(seconds.into())),
        options: ChangeOptions { refresh: Refresh::All, force: options.force, must_find: None },
    };
    change(instance, request, |_| Ok(want)).await
}

/// Warns if the file names other interfaces, which only `attach` and `detach` change.
async fn warn_of_interfaces(instance: &str, want: &Config) -> Result<()> {
    if want.interfaces.is_empty() {
        return Ok(());
    }
    let attached: Vec<_> =
        status::interfaces(&Datapath::open(instance)?).await?.into_iter().map(|interface| interface.name).collect();
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
