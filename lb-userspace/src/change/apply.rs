//! Changes the configuration of a running instance: compare, resolve servers, publish.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use anyhow::{Result, bail};

use super::{
    lockout,
    plan::{Plan, diff},
    relocate::differs,
    resolve::{self, Egress, Form, Refresh, Resolved, resolve},
    rollback::waiter,
};
use crate::{
    config::model::{Config, Positions, Role, ServerMac},
    datapath::{Placed, Snapshot, Writer, attached, publish::Prepared},
    net::{Interface, Net},
};

/// Options of a change.
#[derive(Clone, Copy, Debug)]
pub struct ChangeOptions<'a> {
    /// Which MACs are looked up again.
    pub refresh: Refresh<'a>,
    /// Change it even if that cuts off this host's own traffic.
    pub force: bool,
    /// A server whose MAC must be found, by service and address.
    pub must_find: Option<(&'a str, IpAddr)>,
}

/// A change that fits and is ready to be published.
#[derive(Debug)]
pub struct Change {
    /// The difference between the configurations.
    pub plan: Plan,
    /// A line for each server whose MAC has changed, and one if this host's addresses have.
    pub moved: Vec<String>,
    have: Snapshot,
    placed: Placed,
    prepared: Prepared,
    interfaces: Vec<Interface>,
}

impl Change {
    /// Finds out whether an instance can take a configuration. Changes nothing.
    ///
    /// # Errors
    ///
    /// Another role, no room, the operator would be locked out, or the MAC of `must_find` is not found.
    pub async fn prepare(writer: &Writer, want: Config, options: ChangeOptions<'_>) -> Result<Self> {
        let have = writer.snapshot();
        check_role(writer.role(), &want)?;
        let plan = diff(&have.config, &want);
        let net = Net::open()?;
        let interfaces = attached(writer, &net).await?;
        let egress = Egress::new(&net, &interfaces, Form::Shortest);
        if !options.force {
            lockout::check(&net, &interfaces, &have.config, &want, writer.standby()).await?;
        }
        let Resolved { placed, unresolved } = resolve(&net, &egress, want, &have, options.refresh).await?;
        let must_find = |(service, server)| unresolved.iter().find(|it| it.service == service && it.server == server);
        if let Some(missing) = options.must_find.and_then(must_find) {
            bail!("{}", missing.line);
        }
        resolve::warn(&unresolved);
        let prepared = writer.prepare(&placed)?;
        let mut moved = moved(&have, &placed);
        if placed.own_digest() != have.record.own {
            moved.push("~ this host's addresses have changed".to_owned());
        }
        Ok(Self { plan, moved, have, placed, prepared, interfaces })
    }

    /// Whether anything changes for packets.
    pub fn is_needed(&self) -> bool {
        differs(&self.placed, &self.have)
    }

    /// Has the change rolled back after `within` unless it is confirmed. Call it before [`Change::publish`].
    ///
    /// # Errors
    ///
    /// The waiting process cannot be started; nothing is left behind.
    pub fn roll_back_unless_confirmed(&self, writer: &Writer, instance: &str, within: Duration) -> Result<()> {
        waiter::begin(writer, instance, &self.have.config, within)
    }

    /// Publishes it and sets what interfaces receive. Returns a line for each setting that changes, and
    /// one if tables are less fine than before.
    ///
    /// # Errors
    ///
    /// The kernel refuses a program or a setting of an interface.
    pub fn publish(&self, writer: &mut Writer) -> Result<Vec<String>> {
        let Self { have, placed, .. } = self;
        if self.is_needed() {
            writer.publish(&self.prepared)?;
        }
        let (had, group) = (&have.config.group, &placed.config.group);
        if (had.mac, had.promiscuous) != (group.mac, group.promiscuous) {
            // The group's MAC is a constant of programs.
            self.interfaces.iter().try_for_each(|interface| writer.replace(interface, group))?;
        }
        let mut lines = writer.reconcile_nic_state(&self.interfaces, &placed.config)?;
        lines.extend(self.prepared.coarser());
        Ok(lines)
    }
}

/// The role of a running instance cannot change.
pub fn check_role(have: Role, want: &Config) -> Result<()> {
    if want.role == have {
        return Ok(());
    }
    bail!(
        "the configuration is for role {:?}, the instance has role {:?}; `modlb detach` first",
        want.role.name(),
        have.name()
    )
}

/// A line for each server whose MAC has changed.
fn moved(have: &Snapshot, placed: &Placed) -> Vec<String> {
    let mut lines = Vec::new();
    let had: HashMap<_, _> = have.config.services.iter().map(|service| (service.name.as_str(), service)).collect();
    for service in &placed.config.services {
        let Some(had) = had.get(service.name.as_str()) else { continue };
        let positions = Positions::of(had);
        for (number, server) in service.servers.iter().enumerate() {
            let before = positions.find(server.address, number).and_then(|position| had.servers[position].mac.get());
            if let (Some(was), ServerMac::Resolved { mac: is, .. }) = (before, server.mac)
                && was != is
            {
                lines.push(format!("~ server {} {}: found at {is}, was {was}", service.name, server.address));
            }
        }
    }
    lines
}
