//! `modlb attach`.

use anyhow::{Result, bail};

use super::{
    change::{attached, show},
    input, summary,
};
use crate::{
    cli::{self, Attach},
    config::model::{Config, Role},
    confirm,
    datapath::{Holder, Mode, Place, Placed, Wanted, Writer},
    guard,
    locate::{Refresh, locate},
    net::{Interface, Net, XdpMode},
    output::print_text,
    plan::diff,
};

pub async fn run(instance: &str, options: &Attach) -> Result<()> {
    let config = options.config.as_deref().map(|file| input::read_for(file, options.role)).transpose()?;
    let net = Net::open()?;
    let named = named(&net, options, config.as_ref()).await?;
    let wanted = Wanted {
        services: options.capacity.max_services,
        slots: options.capacity.max_slots,
        servers: options.capacity.max_servers,
        role: config.as_ref().map(|config| config.role).or(options.role),
    };
    let mut writer = Writer::create(instance, &wanted)?;
    let work = work(instance, &mut writer, &net, options, config, named);
    let result = tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; nothing was changed")),
    };
    if result.is_err() {
        writer.abandon()?;
    }
    result
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

async fn work(
    instance: &str,
    writer: &mut Writer,
    net: &Net,
    options: &Attach,
    config: Option<Config>,
    named: Vec<Interface>,
) -> Result<()> {
    if !writer.is_new() {
        confirm::refuse(instance)?;
    }
    writer.forget_gone()?;
    let old = attached(writer, net).await?;
    let new: Vec<_> =
        named.into_iter().filter(|interface| old.iter().all(|old| old.index != interface.index)).collect();
    if old.is_empty() && new.is_empty() {
        bail!("name an interface, as in `modlb attach eth0`, or list `interfaces` in the configuration");
    }
    let mode = mode(options);
    check_steering(writer.role(), mode, old.len() + new.len())?;
    old.iter().filter(|_| writer.role() != Role::Steer).try_for_each(|interface| check_mode(interface, mode))?;
    if writer.is_new() {
        writer.set_standby(options.standby);
    }

    // Nothing that can go wrong comes after the first thing that packets notice.
    let have = writer.snapshot();
    let want = config.unwrap_or_else(|| have.config.clone());
    let plan = diff(&have.config, &want);
    let everywhere: Vec<_> = old.iter().chain(&new).cloned().collect();
    if !options.force {
        let before = if old.is_empty() { &Config::default() } else { &have.config };
        guard::check(net, &everywhere, before, &want, options.standby || writer.standby()).await?;
    }
    let placed = locate(net, &everywhere, want, &have, Refresh::All).await?;
    check_self(&placed)?;
    let prepared = writer.prepare(&placed)?;
    let group = &placed.config.group;
    let links = new.iter().map(|interface| writer.attach(interface, mode, group)).collect::<Result<Vec<_>, _>>()?;

    // Before a half names them, else its packets would be dropped.
    writer.enter_devices(&everywhere)?;
    writer.publish(&prepared)?;
    writer.complete()?;
    for link in links {
        writer.pin(link)?;
    }
    for interface in &old {
        writer.replace(interface, group)?;
    }
    let held = writer.hold(&everywhere, &placed.config)?;
    if options.standby {
        writer.set_standby(true);
    }
    report(writer, net, &old).await?;
    held.iter().try_for_each(|line| print_text(line))?;
    if !plan.is_empty() {
        show(&plan, &[], false)?;
    }
    print_text(&summary(&placed.config))?;
    Ok(())
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
    if options.clsact {
        return Mode::Clsact;
    }
    match options.mode {
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

async fn report(writer: &Writer, net: &Net, old: &[Interface]) -> Result<()> {
    for (index, link) in writer.links()? {
        let interface = net.interface_by_index(index).await?;
        let verb = if old.iter().any(|old| old.index == interface.index) { "replaced on" } else { "attached to" };
        let buffers = if writer.is_multi_buffer(interface.index) { ", multi-buffer" } else { "" };
        let how = match link.holder {
            Holder::Xdp => format!("{} mode{buffers}", interface.xdp.map_or("no", |xdp| xdp.mode.name())),
            Holder::Tcx | Holder::Clsact => format!("egress, by {}", link.holder.name()),
        };
        print_text(&format!("{verb} {} ({how})", interface.name))?;
    }
    Ok(())
}

/// Publishes the configuration anew for another set of interfaces.
pub async fn relocate(writer: &mut Writer, net: &Net, interfaces: &[Interface]) -> Result<()> {
    let have = writer.snapshot();
    let placed = locate(net, interfaces, have.config.clone(), &have, Refresh::Unknown).await?;
    if placed.places != have.places || !placed.own.is_empty() {
        let prepared = writer.prepare(&placed)?;
        writer.publish(&prepared)?;
    }
    Ok(())
}
