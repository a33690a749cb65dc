//! Shows a change, then makes it: for `apply` and `server`.

use std::time::Duration;

use anyhow::Result;

use crate::{
    change::{
        apply::{Change, ChangeOptions, check_role},
        inspect, mend,
        plan::{Plan, diff},
        resolve, rollback,
    },
    config::model::Config,
    datapath::{Datapath, Writer},
    net::Net,
    output::{change_lines, print_text},
};

/// Options for making and showing a change.
#[derive(Clone, Copy, Debug)]
pub struct ChangeRequest<'a> {
    /// Only print what would change.
    pub dry_run: bool,
    /// Print JSON.
    pub json: bool,
    /// Roll back after this time unless the change is confirmed.
    pub confirm: Option<Duration>,
    /// Options for making it.
    pub options: ChangeOptions<'a>,
}

/// Changes the configuration of a running instance, or fails and changes nothing.
pub async fn change(
    instance: &str,
    request: ChangeRequest<'_>,
    edit: impl FnOnce(&Config) -> Result<Config>,
) -> Result<()> {
    let ChangeRequest { dry_run, json, confirm, options } = request;
    if dry_run {
        let have = Datapath::open(instance)?.snapshot().config;
        let want = edit(&have)?;
        check_role(have.role, &want)?;
        return show(&diff(&have, &want), &[], json);
    }
    let mut writer = Writer::open(instance)?;
    rollback::refuse(instance)?;
    mend(&mut writer, json).await?;
    let want = edit(&writer.snapshot().config)?;
    let change = Change::prepare(&writer, want, options).await?;
    show(&change.plan, &change.moved, json)?;
    let confirm = confirm.filter(|_| change.is_needed());
    if let Some(within) = confirm {
        change.roll_back_unless_confirmed(&writer, instance, within)?;
    }
    for line in change.publish(&mut writer)? {
        // JSON is all that is on standard output then.
        if json {
            log::info!("{line}");
        } else {
            print_text(&line)?;
        }
    }
    match confirm {
        Some(within) if !json => {
            let seconds = within.as_secs();
            Ok(print_text(&format!("in force; rolled back in {seconds} s unless confirmed by `modlb confirm`"))?)
        }
        Some(_) | None => Ok(()),
    }
}

/// Mends what is not as recorded on interfaces, so that the change takes effect on all of them.
async fn mend(writer: &mut Writer, quiet: bool) -> Result<()> {
    let net = Net::open()?;
    if inspect::without_servers(writer, &net).await?.is_empty() {
        return Ok(());
    }
    let mended = mend::mend(writer, &net).await?;
    mended.problems.iter().for_each(|problem| log::warn!("{problem}"));
    resolve::warn(&mended.unresolved);
    match mended.lines.join("\n") {
        lines if quiet || lines.is_empty() => Ok(()),
        lines => Ok(print_text(&lines)?),
    }
}

/// Prints the changes, and the servers whose MAC has changed.
pub fn show(plan: &Plan, moved: &[String], json: bool) -> Result<()> {
    if json {
        return Ok(print_text(&serde_json::to_string(plan)?)?);
    }
    if plan.is_empty() && moved.is_empty() {
        return Ok(print_text("nothing to change")?);
    }
    let lines: Vec<_> = plan.to_string().lines().map(str::to_owned).chain(moved.iter().cloned()).collect();
    Ok(print_text(&change_lines(lines).join("\n"))?)
}
