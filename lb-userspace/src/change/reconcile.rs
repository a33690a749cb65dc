//! Brings an instance to a configuration and interfaces, for `attach` and the agent.

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

/// Options of [`reconcile`].
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// Where new programs run.
    pub mode: Mode,
    /// Put the instance on standby, also if it runs already.
    pub standby: bool,
    /// Replace running programs, and publish even if nothing changes.
    pub replace: bool,
    /// The digest of the file that the configuration came from; `None`: keep the recorded one.
    pub source: Option<u64>,
    /// Do it even if that cuts off this host's own traffic.
    pub force: bool,
}

/// Servers resolved before the lock was taken, so that silent ones do not keep other commands waiting.
#[derive(Debug)]
pub struct Prefetched {
    /// The generation in force at the time.
    pub generation: u64,
    /// The indices of the interfaces that were attached.
    pub interfaces: Vec<u32>,
    /// What was found.
    pub resolved: Resolved,
}

/// The result of [`reconcile`].
#[derive(Debug)]
pub struct Reconciled {
    /// Lines to print.
    pub lines: Vec<String>,
    /// Whether a new half was published.
    pub published: bool,
    /// Servers that take no flows because their MAC is not known.
    pub unresolved: Vec<UnresolvedServer>,
}

/// Brings an instance to a configuration (`None`: keeps its own), and attaches it to these interfaces in addition to
/// those that it has. If this fails, the caller abandons the writer.
pub async fn reconcile(
    writer: &mut Writer,
    net: &Net,
    options: AttachOptions,
    config: Option<Config>,
    interfaces: Vec<Interface>,
    prefetched: Option<Prefetched>,
) -> Result<Reconciled> {
    let AttachOptions { mode, standby, replace, source, force } = options;
    writer.detach_gone()?;
    let old = attached(writer, net).await?;
    let new: Vec<_> =
        interfaces.into_iter().filter(|interface| old.iter().all(|old| old.index != interface.index)).collect();
    if old.is_empty() && new.is_empty() {
        bail!("name an interface, as in `modlb attach eth0`, or list `interfaces` in the configuration");
    }
    check_steering(writer.role(), mode, old.len() + new.len())?;
    old.iter().filter(|_| writer.role() != Role::Steer).try_for_each(|interface| check_mode(interface, mode))?;
    if writer.is_new() {
        writer.set_standby(standby);
    }

    // Everything that may fail comes before the first step that affects packets.
    let have = writer.snapshot();
    let want = config.unwrap_or_else(|| have.config.clone());
    let plan = diff(&have.config, &want);
    let all: Vec<_> = old.iter().chain(&new).cloned().collect();
    if !force {
        let before = if old.is_empty() { &Config::default() } else { &have.config };
        lockout::check(net, &all, before, &want, standby || writer.standby()).await?;
    }
    let Resolved { placed, unresolved } = match prefetched {
        Some(prefetched)
            if prefetched.generation == have.control.generation() && prefetched.interfaces == indices(&all) =>
        {
            prefetched.resolved
        }
        Some(_) | None => resolve(net, &all, want, &have, Refresh::All).await?,
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

    // Before a half names them, else packets would be dropped.
    writer.enter_devices(&all)?;
    if let Some(prepared) = &prepared {
        writer.publish(prepared)?;
    }
    writer.complete()?;
    for link in links {
        writer.pin(link)?;
    }
    // The group's MAC is a constant of programs.
    let had = &have.config.group;
    if replace || (had.mac, had.promiscuous) != (group.mac, group.promiscuous) {
        old.iter().try_for_each(|interface| writer.replace(interface, group))?;
    }
    let settings = writer.reconcile_nic_state(&all, &placed.config)?;
    if standby {
        writer.set_standby(true);
    }
    let mut lines = report(writer, net, if replace { &[] } else { &old }, &old).await?;
    lines.extend(settings);
    lines.extend(plan.to_string().lines().map(str::to_owned));
    lines.push(placed.config.summary());
    Ok(Reconciled { lines, published, unresolved })
}

fn indices(interfaces: &[Interface]) -> Vec<u32> {
    interfaces.iter().map(|interface| interface.index).collect()
}

/// Refuses a member that matches no server: it would drop everything.
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
            "no server of any service has an address of this host, so this member would drop everything; set self = \
             \"ADDRESS\""
        ),
        own => bail!(
            "self: {} is not a server of any service, so this member would drop everything; set it to a server's address",
            own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Role steer rewrites frames that the kernel has already given to an interface, so it cannot choose another one.
fn check_steering(role: Role, mode: Mode, interfaces: usize) -> Result<()> {
    if role != Role::Steer {
        return Ok(());
    }
    if !matches!(mode, Mode::Auto | Mode::Clsact) {
        bail!("role steer has no XDP mode; leave out `--mode`");
    }
    if interfaces > 1 {
        bail!("role steer works on one interface; use one instance for each (`--instance NAME`)");
    }
    Ok(())
}

/// A link keeps the mode that it was made with.
fn check_mode(interface: &Interface, mode: Mode) -> Result<()> {
    let current = interface.xdp.map(|xdp| xdp.mode);
    let conflict = match mode {
        Mode::Auto | Mode::Clsact => false,
        Mode::Native => current != Some(XdpMode::Native),
        Mode::Generic => current != Some(XdpMode::Generic),
    };
    if conflict {
        let current = current.map_or("no", XdpMode::name);
        let name = &interface.name;
        bail!("{name} is attached in {current} mode, which cannot be changed; `modlb detach {name}` first");
    }
    Ok(())
}

/// A line for each interface, except those that were left unchanged.
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
