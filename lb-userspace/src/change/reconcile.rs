//! Brings an instance to a configuration and to interfaces: for `attach` and the agent.

use anyhow::{Result, bail};

use super::{
    lockout,
    plan::diff,
    resolve::{Refresh, Resolved, UnresolvedServer, resolve},
};
use crate::{
    config::model::{Config, Role},
    datapath::{Holder, Location, Mode, Placed, Writer, attached},
    net::{Interface, Net, XdpMode},
};

/// How an instance is brought to a configuration and to interfaces.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// Where new programs run.
    pub mode: Mode,
    /// Put the instance on standby, one that runs as well.
    pub standby: bool,
    /// Replace the programs that run, and publish even if nothing changes.
    pub replace: bool,
    /// The digest of the file that the configuration is from; `None`: leave what is noted.
    pub source: Option<u64>,
    /// Whatever becomes of the host's own traffic.
    pub force: bool,
}

/// Servers that were looked for before the lock was taken, so that nobody waits for those that do not answer.
#[derive(Debug)]
pub struct Prefetched {
    /// The generation that was in force at the time.
    pub generation: u64,
    /// The interfaces that they were looked for on, by index.
    pub interfaces: Vec<u32>,
    /// What was found.
    pub resolved: Resolved,
}

/// What was done.
#[derive(Debug)]
pub struct Reconciled {
    /// For people, line by line.
    pub lines: Vec<String>,
    /// Whether anything became active that was not before.
    pub published: bool,
    /// Servers that take no flows for want of a MAC.
    pub unresolved: Vec<UnresolvedServer>,
}

/// Brings an instance to a configuration (`None`: the one that it has), attached to these interfaces beside those that
/// it is attached to already. Whoever made the writer abandons it if this fails.
pub async fn reconcile(
    writer: &mut Writer,
    net: &Net,
    options: AttachOptions,
    config: Option<Config>,
    named: Vec<Interface>,
    prefetched: Option<Prefetched>,
) -> Result<Reconciled> {
    let AttachOptions { mode, standby, replace, source, force } = options;
    writer.forget_gone()?;
    let old = attached(writer, net).await?;
    let new: Vec<_> =
        named.into_iter().filter(|interface| old.iter().all(|old| old.index != interface.index)).collect();
    if old.is_empty() && new.is_empty() {
        bail!("name an interface, as in `modlb attach eth0`, or list `interfaces` in the configuration");
    }
    check_steering(writer.role(), mode, old.len() + new.len())?;
    old.iter().filter(|_| writer.role() != Role::Steer).try_for_each(|interface| check_mode(interface, mode))?;
    if writer.is_new() {
        writer.set_standby(standby);
    }

    // Nothing that can go wrong comes after the first thing that packets notice.
    let have = writer.snapshot();
    let want = config.unwrap_or_else(|| have.config.clone());
    let plan = diff(&have.config, &want);
    let everywhere: Vec<_> = old.iter().chain(&new).cloned().collect();
    if !force {
        let before = if old.is_empty() { &Config::default() } else { &have.config };
        lockout::check(net, &everywhere, before, &want, standby || writer.standby()).await?;
    }
    let Resolved { placed, unresolved } = match prefetched {
        Some(prefetched)
            if prefetched.generation == have.control.generation() && prefetched.interfaces == indices(&everywhere) =>
        {
            prefetched.resolved
        }
        Some(_) | None => resolve(net, &everywhere, want, &have, Refresh::All).await?,
    };
    check_self(&placed)?;
    let published = replace
        || writer.is_new()
        || !new.is_empty()
        || placed.config != have.config
        || placed.locations != have.locations
        || !placed.own.is_empty()
        || source.is_some_and(|source| source != have.record.source);
    let prepared = if published { Some(writer.prepare(&placed)?.from_source(source)) } else { None };
    let group = &placed.config.group;
    let links = new.iter().map(|interface| writer.attach(interface, mode, group)).collect::<Result<Vec<_>, _>>()?;

    // Before a half names them, else its packets would be dropped.
    writer.enter_devices(&everywhere)?;
    if let Some(prepared) = &prepared {
        writer.publish(prepared)?;
    }
    writer.complete()?;
    for link in links {
        writer.pin(link)?;
    }
    // Programs know the group's MAC as a constant.
    let had = &have.config.group;
    if replace || (had.mac, had.promiscuous) != (group.mac, group.promiscuous) {
        old.iter().try_for_each(|interface| writer.replace(interface, group))?;
    }
    let held = writer.hold(&everywhere, &placed.config)?;
    if standby {
        writer.set_standby(true);
    }
    let mut lines = report(writer, net, if replace { &[] } else { &old }, &old).await?;
    lines.extend(held);
    lines.extend(plan.to_string().lines().map(str::to_owned));
    lines.push(placed.config.summary());
    Ok(Reconciled { lines, published, unresolved })
}

fn indices(interfaces: &[Interface]) -> Vec<u32> {
    interfaces.iter().map(|interface| interface.index).collect()
}

/// A member that is nobody would take nothing and drop everything.
fn check_self(placed: &Placed) -> Result<()> {
    let servers = placed.locations.iter().flatten();
    if placed.config.role != Role::Member
        || servers.clone().count() == 0
        || servers.clone().any(|p| *p == Location::Local)
    {
        return Ok(());
    }
    match &placed.config.group.own[..] {
        [] => bail!(
            "no server of any service has an address of this host's, so that a member would drop everything; say self = \
             \"ADDRESS\""
        ),
        own => bail!(
            "self: {} is no server of any service, so that this member would drop everything",
            own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// What steers rewrites frames that the kernel has already given to an interface, so it cannot choose another.
fn check_steering(role: Role, mode: Mode, interfaces: usize) -> Result<()> {
    if role != Role::Steer {
        return Ok(());
    }
    if !matches!(mode, Mode::Auto | Mode::Clsact) {
        bail!("role steer has no modes of XDP; leave out `--mode`");
    }
    if interfaces > 1 {
        bail!("role steer works on one interface; use an instance of its own for each (`--instance NAME`)");
    }
    Ok(())
}

/// A link keeps the mode that it was made with.
fn check_mode(interface: &Interface, mode: Mode) -> Result<()> {
    let is = interface.xdp.map(|xdp| xdp.mode);
    let conflict = match mode {
        Mode::Auto | Mode::Clsact => false,
        Mode::Native => is != Some(XdpMode::Native),
        Mode::Generic => is != Some(XdpMode::Generic),
    };
    if conflict {
        let is = is.map_or("no", XdpMode::name);
        let name = &interface.name;
        bail!("{name} is attached in {is} mode, which cannot be changed; `modlb detach {name}` first");
    }
    Ok(())
}

/// A line for each interface, but for those that were left as they are.
async fn report(writer: &Writer, net: &Net, left: &[Interface], old: &[Interface]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (index, link) in writer.links()? {
        if left.iter().any(|left| left.index == index) {
            continue;
        }
        let interface = net.interface_by_index(index).await?;
        let verb = if old.iter().any(|old| old.index == interface.index) { "replaced on" } else { "attached to" };
        let buffers = if writer.is_multi_buffer(interface.index) { ", multi-buffer" } else { "" };
        let how = match link.holder {
            Holder::Xdp => format!("{} mode{buffers}", interface.xdp.map_or("no", |xdp| xdp.mode.name())),
            Holder::Tcx | Holder::Clsact => format!("egress, by {}", link.holder.name()),
        };
        lines.push(format!("{verb} {} ({how})", interface.name));
    }
    Ok(lines)
}
