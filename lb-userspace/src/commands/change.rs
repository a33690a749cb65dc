//! The command's way, for whatever changes a running instance: have → want → difference → print → publish.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use anyhow::{Result, bail};

use crate::{
    config::model::{Config, Role, ServerMac},
    confirm,
    datapath::{Datapath, Placed, Snapshot, Writer, publish::Prepared},
    guard,
    locate::{self, Located, Refresh, locate},
    net::{Interface, Net},
    output::print_text,
    plan::{Plan, diff},
};

pub use crate::datapath::attached;

/// How a change is made and shown.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// Print what would change, and change nothing.
    pub dry_run: bool,
    /// Print JSON.
    pub json: bool,
    /// Whose MAC is looked up anew.
    pub refresh: Refresh<'a>,
    /// Go back after this time unless somebody confirms.
    pub confirm: Option<Duration>,
    /// Whatever becomes of the host's own traffic.
    pub force: bool,
    /// A server that must be found, by service and address: who names one wants to hear of it.
    pub must_find: Option<(&'a str, IpAddr)>,
}

/// Changes the configuration of a running instance, or fails and changes nothing.
pub async fn change(instance: &str, manner: Manner<'_>, edit: impl FnOnce(&Config) -> Result<Config>) -> Result<()> {
    if manner.dry_run {
        let have = Datapath::open(instance)?.snapshot().config;
        let want = edit(&have)?;
        check_role(have.role, &want)?;
        return show(&diff(&have, &want), &[], manner.json);
    }
    let mut writer = Writer::open(instance)?;
    confirm::refuse(instance)?;
    let have = writer.snapshot();
    let want = edit(&have.config)?;
    check_role(writer.role(), &want)?;
    let plan = diff(&have.config, &want);

    let net = Net::open()?;
    let interfaces = attached(&writer, &net).await?;
    if !manner.force {
        guard::check(&net, &interfaces, &have.config, &want, writer.standby()).await?;
    }
    let Located { placed, lost } = locate(&net, &interfaces, want, &have, manner.refresh).await?;
    if let Some((service, server)) = manner.must_find
        && let Some(lost) = lost.iter().find(|lost| lost.service == service && lost.server == server)
    {
        bail!("{}", lost.line);
    }
    locate::warn(&lost);
    let prepared = writer.prepare(&placed)?;
    show(&plan, &moved(&have, &placed), manner.json)?;
    let confirm = manner.confirm.filter(|_| placed.config != have.config || placed.places != have.places);
    if let Some(within) = confirm {
        confirm::begin(&writer, instance, &have.config, within)?;
    }
    for line in put_in_force(&mut writer, &interfaces, &have, &placed, &prepared)? {
        print_text(&line)?;
    }
    match confirm {
        Some(within) if !manner.json => {
            let seconds = within.as_secs();
            Ok(print_text(&format!("in force, and rolled back in {seconds} s unless `modlb confirm` is said"))?)
        }
        Some(_) | None => Ok(()),
    }
}

/// Publishes what was prepared, and has interfaces hold what it needs; the lines say what could not be had.
pub fn put_in_force(
    writer: &mut Writer,
    interfaces: &[Interface],
    have: &Snapshot,
    placed: &Placed,
    prepared: &Prepared,
) -> Result<Vec<String>> {
    // With prefixes, what counts as this host's own may have changed, too.
    if placed.config != have.config || placed.places != have.places || !placed.own.is_empty() {
        writer.publish(prepared)?;
    }
    let (had, group) = (&have.config.group, &placed.config.group);
    if (had.mac, had.promiscuous) != (group.mac, group.promiscuous) {
        // Programs know the group's MAC as a constant.
        interfaces.iter().try_for_each(|interface| writer.replace(interface, group))?;
    }
    Ok(writer.hold(interfaces, &placed.config)?)
}

/// A role is an instance's for as long as it runs.
fn check_role(have: Role, want: &Config) -> Result<()> {
    if want.role == have {
        return Ok(());
    }
    bail!(
        "the configuration is for role {:?}, the instance has role {:?}; `modlb detach` first",
        want.role.name(),
        have.name()
    )
}

/// Prints a difference, and which servers were found at another MAC than before.
pub fn show(plan: &Plan, moved: &[String], json: bool) -> Result<()> {
    if json {
        return Ok(print_text(&serde_json::to_string(plan)?)?);
    }
    if plan.is_empty() && moved.is_empty() {
        return Ok(print_text("nothing to change")?);
    }
    let lines: Vec<_> = plan.to_string().lines().map(str::to_owned).chain(moved.iter().cloned()).collect();
    Ok(print_text(&lines.join("\n"))?)
}

/// A line for each server that answers with another MAC than before.
pub fn moved(have: &Snapshot, placed: &Placed) -> Vec<String> {
    let mut lines = Vec::new();
    let before = have.config.services.iter().flat_map(|service| {
        service.servers.iter().map(|server| ((service.name.as_str(), server.address), server.mac.get()))
    });
    let before: HashMap<_, _> = before.collect();
    for service in &placed.config.services {
        for server in &service.servers {
            let same = before.get(&(service.name.as_str(), server.address));
            if let (Some(Some(was)), ServerMac::Resolved(is)) = (same.copied(), server.mac)
                && was != is
            {
                lines.push(format!("~ server {} {}: found at {is}, was {was}", service.name, server.address));
            }
        }
    }
    lines
}
