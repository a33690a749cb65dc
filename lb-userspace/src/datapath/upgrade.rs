//! Upgrades a running instance of the former ABI, without losing a packet.
//!
//! Under the instance's lock:
//!
//! 1. make new maps beside its pins, and publish there what is in force; no packet sees that yet,
//! 2. replace the program of each interface; in between, both versions do the same with every packet,
//! 3. wait until no former program runs, and carry over what they have counted, which is final now,
//! 4. let the new pins replace the former ones.
//!
//! A command that is killed before step 2 has changed nothing. After that, interfaces have programs of both versions;
//! the next upgrade finds the new maps, publishes there what is in force by then, and goes on. From step 4 on it only
//! has to rename the rest.

use std::{collections::HashMap, net::IpAddr};

use lb_common::{
    abi::{ABI, Instance},
    record::NicStateRecord,
};

use super::{
    attach::{
        load,
        names::RoleProgram,
        object::Programs,
        ports::{PortMode, found},
        program::{links, load_program, swap},
        variant::is_multi_buffer,
    },
    error::{Error, Result},
    former::{Former, State},
    lifecycle::new_record,
    place::Placed,
    store::{
        carried::Carried,
        grace,
        instance::{Datapath, Writer, check, check_namespace, record},
        pins::{Lock, Pins},
    },
};
use crate::net::{Interface, Net};

/// An instance of the former ABI that is being upgraded.
pub struct Upgrade {
    former: Former,
    state: State,
    /// Its interfaces, and how their programs were attached.
    ports: Vec<(Interface, PortMode)>,
    /// Links of interfaces that are gone or elsewhere, or whose program was detached.
    lost: Vec<u32>,
    new: Writer,
    _lock: Lock,
}

/// What there is to upgrade.
pub enum Upgradable {
    /// The instance is of this version.
    Current,
    /// It is now: an earlier upgrade was killed when only pins were left to be renamed.
    Finished,
    /// It is of the former one.
    Former(Box<Upgrade>),
}

impl Upgrade {
    /// Looks at an instance. Waits while another command changes it.
    ///
    /// # Errors
    ///
    /// It is not running, is of another version, or belongs to another network namespace.
    pub async fn open(instance: &str, net: &Net) -> anyhow::Result<Upgradable> {
        let pins = Pins::new(instance);
        let lock = pins.lock()?;
        let found = record(&pins)?.ok_or_else(|| pins.missing())?;
        match check(&pins, &found) {
            Ok(()) => return Ok(Upgradable::Current),
            Err(Error::Former(_)) => check_namespace(&pins, &found)?,
            Err(error) => return Err(error.into()),
        }
        let beside = pins.beside();
        let whole = record(&beside)?.filter(|record| record.abi == ABI);
        if whole.is_some() && !beside.is_whole() {
            pins.replace_by_beside()?;
            return Ok(Upgradable::Finished);
        }
        let former = Former::open(&pins, found)?;
        let (ports, lost) = ports(&former, net).await?;
        let state = former.state();
        let new = new_writer(&former, beside, whole)?;
        Ok(Upgradable::Former(Box::new(Self { former, state, ports, lost, new, _lock: lock })))
    }

    /// Upgrades it. Returns a line for each interface.
    ///
    /// # Errors
    ///
    /// There is no room for the new maps, or the kernel refuses a program. Nothing has changed then, or another upgrade
    /// goes on from here.
    pub async fn run(mut self, net: &Net) -> anyhow::Result<Vec<String>> {
        let placed = Placed::on(net, self.state.config.clone(), self.state.locations.clone()).await?;
        let new = self.new.is_new();
        let prepared = self.publish(&placed).and_then(|()| self.load());
        let loaded = match prepared {
            Ok(loaded) => loaded,
            Err(error) => {
                if new {
                    self.former.pins().discard_beside()?;
                }
                return Err(error.into());
            }
        };
        let lines = self.replace(loaded)?;
        self.carry(&placed)?;
        self.finish()?;
        Ok(lines)
    }

    /// Publishes in the new maps what is in force, and completes them.
    fn publish(&mut self, placed: &Placed) -> Result<()> {
        let interfaces: Vec<_> = self.ports.iter().map(|(interface, _)| interface.clone()).collect();
        self.follow_standby();
        self.new.enter_devices(&interfaces)?;
        let carried = self.new.snapshot().record.carried == 1;
        if !carried {
            // Of an upgrade that was killed while it carried them over.
            self.new.datapath.servers.carried().clear();
        }
        let prepared = self.new.prepare(placed)?.from_source(Some(self.state.source));
        let prepared = if carried { prepared.carried() } else { prepared };
        self.new.publish(&prepared)?;
        self.copy_nic_states();
        self.new.complete()
    }

    fn copy_nic_states(&mut self) {
        let states = &mut self.new.datapath.maps.nic_states;
        let mut records = self.former.nic_states();
        records.resize(states.len(), NicStateRecord::default());
        states.write(0, &records);
    }

    /// Loads all programs before the first is replaced, as the kernel may refuse one.
    fn load(&self) -> Result<Vec<(Programs, RoleProgram)>> {
        let load = |(interface, _): &(Interface, PortMode)| {
            let several = is_multi_buffer(self.former.pins(), interface.index);
            let program = RoleProgram::of(self.former.role(), several);
            let mut programs = self.new.load_for(interface, &self.state.config.group)?;
            load_program(&mut programs, &program)?;
            Ok((programs, program))
        };
        self.ports.iter().map(load).collect()
    }

    fn replace(&mut self, loaded: Vec<(Programs, RoleProgram)>) -> Result<Vec<String>> {
        let filters = filters(&self.former);
        let mut lines = Vec::new();
        for ((interface, mode), (mut programs, program)) in self.ports.iter().zip(loaded) {
            follow_standby(&self.former, &self.new);
            let filter = filters.iter().find(|(index, ..)| *index == interface.index).copied();
            swap(&mut programs, &program, interface, self.former.pins(), filter)?;
            let id = self.new.pin_program(&mut programs, &program, interface.index)?;
            self.new.record_port(interface, *mode, id)?;
            lines.push(format!("{}: the program is now that of modlb {}", interface.name, env!("CARGO_PKG_VERSION")));
        }
        Ok(lines)
    }

    /// Carries over what was counted. Values of servers that stay are set, and so may be set again by an upgrade that
    /// goes on; the others are added, and published with the record that they were.
    fn carry(&mut self, placed: &Placed) -> Result<()> {
        grace::wait()?;
        if self.new.snapshot().record.carried == 1 {
            return Ok(());
        }
        let counted = self.former.counted(&self.state);
        let counters: HashMap<(String, IpAddr), u32> = {
            let snapshot = self.new.snapshot();
            snapshot.counted().map(|(service, server, counter)| ((service.to_owned(), server), counter)).collect()
        };
        for (service, values) in self.state.config.services.iter().zip(&counted.servers) {
            for (server, value) in service.servers.iter().zip(values) {
                if let Some(counter) = counters.get(&(service.name.clone(), server.address)) {
                    self.new.datapath.servers.carried().set(*counter, *value);
                }
            }
        }
        for (number, value) in (0..).zip(&counted.outcomes) {
            self.new.datapath.outcomes.carried().set(number, *value);
        }
        let prepared = self.new.prepare(placed)?.from_source(Some(self.state.source));
        self.new.publish(&prepared.carrying(&counted.services, counted.former))
    }

    /// Puts the new pins in the place of the former ones.
    fn finish(&self) -> Result<()> {
        let pins = self.former.pins();
        for index in &self.lost {
            pins.remove_pin(&pins.link(*index))?;
            pins.remove_pin(&pins.program(*index))?;
        }
        self.follow_standby();
        let standby = self.former.standby();
        pins.replace_by_beside()?;
        // From the first renamed pin on, commands of the former version refuse the instance; one that came just before
        // counts nevertheless.
        if self.former.standby() != standby {
            self.follow_standby();
        }
        Ok(())
    }

    /// A takeover does not wait for the lock, so the former word may change at any time.
    fn follow_standby(&self) {
        follow_standby(&self.former, &self.new);
    }
}

fn follow_standby(former: &Former, new: &Datapath) {
    if new.standby() != former.standby() {
        new.set_standby(former.standby());
    }
}

/// The new maps, to which an upgrade that was killed may have got already.
fn new_writer(former: &Former, beside: Pins, whole: Option<Instance>) -> Result<Writer> {
    let lock = beside.create_here()?;
    if let Some(record) = whole {
        return Ok(Writer::new(Datapath::with(beside, &record)?, false, lock));
    }
    let capacities = former.capacities();
    let make = || {
        beside.clear()?;
        load::make_maps(&beside, &capacities)?;
        Carried::make(&beside, capacities.counters())?;
        Datapath::with(beside.clone(), &new_record(&capacities, former.role(), 0))
    };
    match make() {
        Ok(datapath) => Ok(Writer::new(datapath, true, lock)),
        Err(error) => {
            beside.remove()?;
            Err(error)
        }
    }
}

/// The filters of a former instance: interface, priority and handle.
fn filters(former: &Former) -> Vec<(u32, u16, u32)> {
    let states = former.nic_states().into_iter().filter(|state| state.kind == NicStateRecord::FILTER);
    states.map(|state| (state.interface, state.priority, state.handle)).collect()
}

/// Its interfaces, and those that it has a link for but is not attached to any more.
async fn ports(former: &Former, net: &Net) -> anyhow::Result<(Vec<(Interface, PortMode)>, Vec<u32>)> {
    let filters = filters(former);
    let (mut ports, mut lost) = (Vec::new(), Vec::new());
    for (index, link) in links(former.pins(), &filters)? {
        match found(net, index, &filters, link).await? {
            Some(port) => ports.push(port),
            None => lost.push(index),
        }
    }
    Ok((ports, lost))
}
