//! `modlb attach`.

use anyhow::{Result, bail};

use super::{change::attached, input, summary};
use crate::{
    cli::{self, Attach},
    config::model::{Config, Role},
    confirm,
    datapath::{Holder, InstanceOptions, Mode, Place, Placed, Writer},
    guard,
    locate::{self, Located, Refresh, locate},
    net::{Interface, Net, XdpMode},
    output::print_text,
    plan::diff,
};

/// How an instance is brought to a configuration and to interfaces.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
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
pub struct Ahead {
    /// The generation that was in force at the time.
    pub generation: u64,
    /// The interfaces that they were looked for on, by index.
    pub interfaces: Vec<u32>,
    /// What was found.
    pub located: Located,
}

/// What was done.
#[derive(Debug)]
pub struct Brought {
    /// For people, line by line.
    pub lines: Vec<String>,
    /// Whether anything became active that was not before.
    pub published: bool,
    /// Servers that take no flows for want of a MAC.
    pub lost: Vec<locate::Lost>,
}

pub async fn run(instance: &str, options: &Attach) -> Result<()> {
    let config = options.config.as_deref().map(|file| input::read_for(file, options.role)).transpose()?;
    let net = Net::open()?;
    let named = named(&net, options, config.as_ref()).await?;
    let wanted = InstanceOptions {
        services: options.capacity.max_services,
        slots: options.capacity.max_slots,
        servers: options.capacity.max_servers,
        role: config.as_ref().map(|config| config.role).or(options.role),
    };
    let mut writer = Writer::create(instance, &wanted)?;
    if !writer.is_new() {
        confirm::refuse(instance)?;
    }
    let manner =
        Manner { mode: mode(options), standby: options.standby, replace: true, source: None, force: options.force };
    let work = bring(&mut writer, &net, manner, config, named, None);
    let result = tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; nothing was changed")),
    };
    match result {
        Ok(brought) => {
            locate::warn(&brought.lost);
            Ok(print_text(&brought.lines.join("\n"))?)
        }
        Err(error) => {
            writer.abandon()?;
            Err(error)
        }
    }
}

/// The interfaces that the user named: on the command line or, if not there, in the configuration.
async fn named(net: &Net, options: &Attach, config: Option<&Config>) -> Result<Vec<Interface>> {
    let names = match (&options.interfaces[..], config) {
        ([], Some(config)) => &config.interfaces[..],
        (names, _) => names,
    };
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        let interface = net.interface(name).await?;
        if !interface.up {
            log::warn!("{name} is down; nothing arrives there before `ip link set {name} up`");
        }
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    Ok(interfaces)
}

/// Brings an instance to a configuration (`None`: the one that it has), attached to these interfaces beside those that it is
/// attached to already. Whoever made the writer abandons it if this fails.
pub async fn bring(
    writer: &mut Writer,
    net: &Net,
    manner: Manner,
    config: Option<Config>,
    named: Vec<Interface>,
    ahead: Option<Ahead>,
) -> Result<Brought> {
    let Manner { mode, standby, replace, source, force } = manner;
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
        guard::check(net, &everywhere, before, &want, standby || writer.standby()).await?;
    }
    let Located { placed, lost } = match ahead {
        Some(ahead) if ahead.generation == have.control.generation() && ahead.interfaces == indices(&everywhere) => {
            ahead.located
        }
        Some(_) | None => locate(net, &everywhere, want, &have, Refresh::All).await?,
    };
    check_self(&placed)?;
    let published = replace
        || writer.is_new()
        || !new.is_empty()
        || placed.config != have.config
        || placed.places != have.places
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
    lines.push(summary(&placed.config));
    Ok(Brought { lines, published, lost })
}

fn indices(interfaces: &[Interface]) -> Vec<u32> {
    interfaces.iter().map(|interface| interface.index).collect()
}

/// A member that is nobody would take nothing and drop everything.
fn check_self(placed: &Placed) -> Result<()> {
    let servers = placed.places.iter().flatten();
    if placed.config.role != Role::Member || servers.clone().count() == 0 || servers.clone().any(|p| *p == Place::Here)
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

const fn mode(options: &Attach) -> Mode {
    mode_of(options.mode, options.clsact)
}

/// What the command line says of where programs run.
pub const fn mode_of(mode: cli::Mode, clsact: bool) -> Mode {
    if clsact {
        return Mode::Clsact;
    }
    match mode {
        cli::Mode::Auto => Mode::Auto,
        cli::Mode::Native => Mode::Native,
        cli::Mode::Generic => Mode::Generic,
    }
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

/// Publishes the configuration anew for another set of interfaces.
pub async fn relocate(writer: &mut Writer, net: &Net, interfaces: &[Interface]) -> Result<()> {
    let have = writer.snapshot();
    let Located { placed, lost } = locate(net, interfaces, have.config.clone(), &have, Refresh::Unknown).await?;
    locate::warn(&lost);
    if placed.config != have.config || placed.places != have.places || !placed.own.is_empty() {
        let prepared = writer.prepare(&placed)?;
        writer.publish(&prepared)?;
    }
    Ok(())
}
