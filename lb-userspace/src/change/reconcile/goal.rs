//! The steps to a wanted state.

use std::{collections::HashMap, net::IpAddr};

use anyhow::{Result, bail};

use super::{
    options::{AttachOptions, Prefetched, Reconciled},
    refuse::{check_mode, check_self, check_traffic_control},
    report::report,
};
use crate::{
    change::{
        by_hand, lockout,
        plan::diff,
        relocate::{differs, relocate},
        resolve::{Egress, Form, Refresh, Resolved, UnresolvedServer, resolve},
        steps::Steps,
    },
    config::model::{Config, Group, Missing, health},
    datapath::{Location, Mode, Placed, Snapshot, Writer, attached},
    net::{Interface, Net},
};

/// What an instance is to be brought to.
pub struct Goal {
    /// The interfaces that it is attached to.
    old: Vec<Interface>,
    /// Those to attach to.
    new: Vec<Interface>,
    /// What is in force.
    have: Snapshot,
    /// The wanted configuration.
    want: Config,
}

impl Goal {
    /// Everything that can be refused without resolving servers is refused here.
    pub async fn new(
        writer: &mut Writer,
        net: &Net,
        options: &AttachOptions,
        config: Option<Config>,
        interfaces: Vec<Interface>,
    ) -> Result<Self> {
        let old = attached(writer, net).await?;
        let new: Vec<_> =
            interfaces.into_iter().filter(|interface| old.iter().all(|old| old.index != interface.index)).collect();
        if old.is_empty() && new.is_empty() {
            bail!("name an interface, as in `modlb attach eth0`, or list `interfaces` in the configuration");
        }
        check_traffic_control(writer.role(), options.mode, old.len() + new.len())?;
        let xdp = writer.role().runs_xdp();
        old.iter().filter(|_| xdp).try_for_each(|interface| check_mode(interface, options.mode))?;
        let have = writer.snapshot();
        let want = match config {
            Some(mut file) => {
                by_hand::keep(&have.config, &mut file, health::now());
                file
            }
            None => have.config.clone(),
        };
        let goal = Self { old, new, have, want };
        if !options.force {
            let before = if goal.old.is_empty() { &Config::default() } else { &goal.have.config };
            let standby = options.standby || writer.standby();
            lockout::check(net, &goal.all(), before, &goal.want, standby).await?;
        }
        Ok(goal)
    }

    fn all(&self) -> Vec<Interface> {
        self.old.iter().chain(&self.new).cloned().collect()
    }

    /// A new instance is on standby until everything is in its place, so packets pass as before. A running one gets
    /// interfaces one after the other: see [`Goal::attach`].
    pub async fn reach(
        self,
        steps: &mut Steps,
        writer: &mut Writer,
        net: &Net,
        options: &AttachOptions,
        prefetched: Option<Prefetched>,
    ) -> Result<Reconciled> {
        if writer.is_new() {
            writer.set_standby(true);
        }
        let resolve = self.resolve(net, prefetched);
        let Resolved { placed, unresolved } = options.interrupt.or(resolve).await??;
        check_self(&placed)?;
        // It must fit before the first step is made.
        writer.prepare(&placed)?;
        self.attach(steps, writer, net, options, &placed).await?;
        let (placed, unresolved) = if self.new.is_empty() {
            (placed, unresolved)
        } else {
            // Only now is it known what the drivers can do.
            let again = self.resolve_again(writer, net, &placed).await?;
            (again.placed, explained(again.unresolved, &unresolved))
        };
        let (published, coarser) = self.publish(steps, writer, options, &placed).await?;
        let old = self.replace(writer, options, &placed)?;
        let settings = writer.reconcile_nic_state(&attached(writer, net).await?, &placed.config)?;
        if writer.is_new() || options.standby {
            writer.set_standby(options.standby);
        }
        // Last: whatever is not complete is made anew by the next command.
        writer.complete()?;
        let mut lines = report(writer, net, &self.old, old).await?;
        lines.extend(settings);
        lines.extend(diff(&self.have.config, &self.want).to_string().lines().map(str::to_owned));
        lines.push(placed.config.summary());
        if writer.is_new() {
            lines.push(writer.capacities().summary(writer.memory()?));
        }
        lines.extend(coarser);
        let mut shortages = writer.capacities().shortages(&placed.config);
        shortages.extend(placed.config.warnings());
        if !writer.is_new() {
            shortages.extend(by_hand::staying_down(&placed.config, health::now()));
        }
        Ok(Reconciled { lines, published, unresolved, shortages })
    }

    async fn resolve(&self, net: &Net, prefetched: Option<Prefetched>) -> Result<Resolved> {
        let all = self.all();
        let generation = self.have.control.generation();
        match prefetched {
            Some(prefetched) if prefetched.generation == generation && prefetched.interfaces == indices(&all) => {
                Ok(prefetched.resolved)
            }
            Some(_) | None => {
                let egress = Egress::new(net, &all, Form::Shortest);
                Ok(resolve(net, &egress, self.want.clone(), &self.have, Refresh::All).await?)
            }
        }
    }

    /// Resolves servers by what was found before, for the interfaces as they are now.
    async fn resolve_again(&self, writer: &Writer, net: &Net, found: &Placed) -> Result<Resolved> {
        let now = attached(writer, net).await?;
        let egress = Egress::new(net, &now, Form::Shortest);
        let known =
            Snapshot { config: found.config.clone(), locations: found.locations.clone(), ..Snapshot::default() };
        Ok(resolve(net, &egress, found.config.clone(), &known, Refresh::Routes).await?)
    }

    /// Attaches to the new interfaces. First each server names its interface, so that a program on a second interface
    /// sends to the right link as soon as it is there; servers behind new interfaces follow when all are attached.
    async fn attach(
        &self,
        steps: &mut Steps,
        writer: &mut Writer,
        net: &Net,
        options: &AttachOptions,
        placed: &Placed,
    ) -> Result<()> {
        let Some(first) = self.new.first() else { return Ok(()) };
        let group = &placed.config.group;
        if !writer.is_new() {
            let reachable = if self.old.is_empty() { std::slice::from_ref(first) } else { &self.old };
            relocate(steps, writer, net, reachable, Form::Explicit).await?;
        }
        self.attach_all(steps, writer, options.mode, group).await?;
        let lost = unable(writer, net, placed).await?;
        let Some((names, server)) = lost else { return Ok(()) };
        if !writer.is_new() || options.mode == Mode::Native {
            bail!(
                "{names} cannot take frames that other interfaces redirect to it in native mode, and server {server} is behind \
                 it; `modlb detach`, and attach all of them with `--mode generic`"
            );
        }
        log::warn!(
            "{names} cannot take frames that other interfaces redirect to it in native mode; using generic mode on all \
             interfaces, which is several times slower"
        );
        for interface in &self.new {
            writer.detach(interface.index)?;
        }
        self.attach_all(steps, writer, Mode::Generic, group).await
    }

    async fn attach_all(&self, steps: &mut Steps, writer: &mut Writer, mode: Mode, group: &Group) -> Result<()> {
        // Of the new ones, too: packets that come in by one may leave by another.
        writer.enter_devices(&self.all())?;
        for interface in &self.new {
            steps.attach(writer, interface, mode, group).await?;
        }
        Ok(())
    }

    /// Publishes if anything changes. Returns whether it did, and a line if tables are coarser than usual.
    async fn publish(
        &self,
        steps: &mut Steps,
        writer: &mut Writer,
        options: &AttachOptions,
        placed: &Placed,
    ) -> Result<(bool, Option<String>)> {
        let now = writer.snapshot();
        let needed = options.replace
            || writer.is_new()
            || differs(placed, &now)
            || options.source.is_some_and(|source| source != now.record.source);
        if needed {
            let before = Placed::new(self.have.config.clone(), self.have.locations.clone(), placed.own.clone());
            return Ok((true, steps.publish_from(writer, placed, before, options.source).await?));
        }
        Ok((false, None))
    }

    /// Replaces the programs of interfaces that it was attached to, if that is asked for or the group's MAC, which is a
    /// constant of programs, has changed. Returns whether it did.
    fn replace(&self, writer: &mut Writer, options: &AttachOptions, placed: &Placed) -> Result<bool> {
        let (had, group) = (&self.have.config.group, &placed.config.group);
        let replace = options.replace || (had.mac, had.promiscuous) != (group.mac, group.promiscuous);
        if replace {
            self.old.iter().try_for_each(|interface| writer.replace(interface, group))?;
        }
        Ok(replace)
    }
}

/// Servers that are unresolved at last, in the words of when they were asked.
fn explained(now: Vec<UnresolvedServer>, asked: &[UnresolvedServer]) -> Vec<UnresolvedServer> {
    let asked: HashMap<_, _> = asked.iter().map(|was| ((was.service.as_str(), was.server), was)).collect();
    let before = |it: &UnresolvedServer| asked.get(&(it.service.as_str(), it.server)).copied().cloned();
    now.into_iter().map(|it| before(&it).unwrap_or(it)).collect()
}

/// Whether some server is behind an interface that cannot take redirected frames: the names of such interfaces, and a
/// server.
async fn unable(writer: &Writer, net: &Net, placed: &Placed) -> Result<Option<(String, IpAddr)>> {
    let now = attached(writer, net).await?;
    let egress = Egress::new(net, &now, Form::Shortest);
    let is_unable = |index: u32| egress.trouble(index) == Some(Missing::NoRedirect);
    let names: Vec<_> = now.iter().filter(|it| is_unable(it.index)).map(|it| it.name.clone()).collect();
    let services = placed.config.services.iter().zip(&placed.locations);
    let mut servers = services.flat_map(|(service, row)| service.servers.iter().zip(row));
    let behind = servers
        .find(|(_, location)| matches!(location, Location::ViaNextHop { interface, .. } if is_unable(*interface)));
    Ok(behind.map(|(server, _)| (names.join(", "), server.address)))
}

fn indices(interfaces: &[Interface]) -> Vec<u32> {
    interfaces.iter().map(|interface| interface.index).collect()
}
