//! Makes instances, opens them to be changed, and removes them.
//!
//! Trap: a command may be killed while it makes an instance. So the record in the map `INSTANCE` is written last: an
//! instance without it was never in force, and the next `attach` clears it away.

use lb_common::abi::{ABI, Instance, MAGIC};

use super::{
    attach::{load, nic_state},
    capacities::{Capacities, InstanceOptions},
    error::{Error, Result},
    store::{
        counters::cpus,
        instance::{Datapath, Writer, check, record},
        pins::Pins,
        records::role_number,
    },
};
use crate::{config::model::Role, net::namespaces};

impl Writer {
    /// Opens a running instance to change it. Waits while another command does the same.
    ///
    /// # Errors
    ///
    /// Those of [`Datapath::open`]; [`Error::Locked`]: the other command does not end.
    pub fn open(instance: &str) -> Result<Self> {
        let pins = Pins::new(instance);
        let lock = pins.lock()?;
        let writer = Self::new(Datapath::open(instance)?, false, lock);
        writer.end_stale_tracing()?;
        Ok(writer)
    }

    /// Like [`Writer::open`], but returns `None` instead of waiting for another command.
    ///
    /// # Errors
    ///
    /// Those of [`Datapath::open`].
    pub fn try_open(instance: &str) -> Result<Option<Self>> {
        let Some(lock) = Pins::new(instance).lock_now()? else { return Ok(None) };
        Ok(Some(Self::new(Datapath::open(instance)?, false, lock)))
    }

    /// Opens an instance, or makes one that [`Writer::complete`] has to complete.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::open`]; [`Error::FixedCapacity`]: it runs with another capacity.
    pub fn create(instance: &str, wanted: &InstanceOptions) -> Result<Self> {
        let pins = Pins::new(instance);
        let lock = pins.create()?;
        if let Some(record) = record(&pins)? {
            check(&pins, &record)?;
            let datapath = Datapath::with(pins, &record)?;
            wanted.check(&datapath.capacities, datapath.role)?;
            let writer = Self::new(datapath, false, lock);
            writer.end_stale_tracing()?;
            return Ok(writer);
        }
        nic_state::release_all(&pins, None)?;
        pins.clear()?;
        let capacities = wanted.capacities(cpus()?)?;
        let made = load::make_maps(&pins, &capacities)
            .and_then(|()| Datapath::with(pins.clone(), &new_record(&capacities, wanted.role.unwrap_or_default(), 0)));
        match made {
            Ok(datapath) => Ok(Self::new(datapath, true, lock)),
            Err(error) => {
                pins.remove()?;
                Err(error)
            }
        }
    }

    /// Completes a new instance: from here on it counts as one that runs.
    pub fn complete(&mut self) -> Result<()> {
        if self.is_new() {
            let cookie = namespaces::cookie()
                .map_err(|error| Error::Io("identifying the network namespace".into(), std::io::Error::other(error)))?;
            let record = new_record(&self.datapath.capacities, self.datapath.role, cookie);
            self.datapath.maps.instance.write(0, &[Instance { magic: 0, ..record }]);
            self.datapath.maps.instance.write(0, &[record]);
        }
        Ok(())
    }

    /// Removes a new instance that could not be put in force; leaves any other alone.
    pub fn abandon(self) -> Result<()> {
        if self.is_new() { self.remove() } else { Ok(()) }
    }

    /// Removes the instance and everything that belongs to it.
    pub fn remove(self) -> Result<()> {
        nic_state::release_all(&self.pins, None)?;
        self.pins.remove()
    }

    /// Detaches from interfaces that are gone.
    pub fn detach_gone(&self) -> Result<()> {
        for (index, link) in self.links()? {
            if link.interface.is_none() {
                self.detach(index)?;
            }
        }
        Ok(())
    }
}

/// Removes everything of an instance, in any state and of any version.
pub fn remove(instance: &str) -> Result<()> {
    let pins = Pins::new(instance);
    let _lock = pins.lock()?;
    nic_state::release_all(&pins, None)?;
    pins.remove()
}

fn new_record(capacities: &Capacities, role: Role, netns_cookie: u64) -> Instance {
    let Capacities { services, slots, servers } = *capacities;
    Instance { magic: MAGIC, abi: ABI, role: role_number(role), netns_cookie, services, slots, servers, reserved: 0 }
}
