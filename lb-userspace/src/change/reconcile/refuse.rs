//! Refuses what cannot be.

use anyhow::{Result, bail};

use crate::{
    config::model::Role,
    datapath::{Location, Mode, Placed},
    net::{Interface, XdpMode, shell::quoted},
};

/// Refuses a member that matches no server: it would drop everything. Role `keep` may come before its server: until
/// then it passes everything but what it hands on.
pub fn check_self(placed: &Placed) -> Result<()> {
    let servers = placed.locations.iter().flatten();
    let role = placed.config.role;
    if !matches!(role, Role::Member | Role::Keep)
        || servers.clone().count() == 0
        || servers.clone().any(|p| *p == Location::Local)
    {
        return Ok(());
    }
    let found = match &placed.config.group.own[..] {
        [] => "no server of any service has an address of this host".to_owned(),
        own => {
            let own: Vec<_> = own.iter().map(ToString::to_string).collect();
            format!("self: {} is not a server of any service", own.join(", "))
        }
    };
    if role == Role::Keep {
        log::warn!("{found}; nothing is handed on to it until it is (self = \"ADDRESS\" says under which address)");
        return Ok(());
    }
    bail!("{found}, so this member would drop everything; set self to a server's address, as in self = \"10.0.0.11\"");
}

/// Roles that run by traffic control have no XDP mode. Role steer rewrites frames that the kernel has already given to
/// an interface, so it cannot choose another one.
pub fn check_traffic_control(role: Role, mode: Mode, interfaces: usize) -> Result<()> {
    if role.runs_xdp() {
        return Ok(());
    }
    if !matches!(mode, Mode::Auto | Mode::Clsact) {
        bail!("role {} has no XDP mode; leave out `--mode`", role.name());
    }
    if role == Role::Steer && interfaces > 1 {
        bail!("role steer works on one interface; use one instance for each (`--instance NAME`)");
    }
    Ok(())
}

/// A link keeps the mode that it was made with.
pub fn check_mode(interface: &Interface, mode: Mode) -> Result<()> {
    let current = interface.xdp.map(|xdp| xdp.mode);
    let conflict = match mode {
        Mode::Auto | Mode::Clsact => false,
        Mode::Native => current != Some(XdpMode::Native),
        Mode::Generic => current != Some(XdpMode::Generic),
    };
    if conflict {
        let current = current.map_or("no", XdpMode::name);
        let name = &interface.name;
        let quoted = quoted(name);
        bail!("{name} is attached in {current} mode, which cannot be changed; `modlb detach {quoted}` first");
    }
    Ok(())
}
