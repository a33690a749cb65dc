//! Makes instances, opens them to be changed, and removes them.
//!
//! Trap: a command may be killed while it makes an instance. So the record in the map `INSTANCE` is written last: an
//! instance without it was never in force, and the next `attach` clears it away.

use lb_common::abi::{ABI, Instance, MAGIC};

use super::{
    attach::{load, nic_state},
    capacities::{Capacities, InstanceOptions},
    error::{Error, Result},
    kill_point,
    store::{
        instance::{Datapath, Writer, check, record},
        pins::{Lock, Pins},
        private,
        records::role_number,
        table::host_limits,
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
        writer.pins.discard_beside()?;
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
        Self::create_in(pins, lock, wanted)
    }

    /// The same without waiting; `None`: another command has the lock.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::create`].
    pub fn try_create(instance: &str, wanted: &InstanceOptions) -> Result<Option<Self>> {
        let pins = Pins::new(instance);
        let Some(lock) = pins.create_now()? else { return Ok(None) };
        Self::create_in(pins, lock, wanted).map(Some)
    }

    /// The same in the BPF file system that is mounted, even if it ends with this process.
    pub(in crate::datapath) fn create_here(instance: &str, wanted: &InstanceOptions) -> Result<Self> {
        let pins = Pins::new(instance);
        let lock = pins.create_here()?;
        Self::create_in(pins, lock, wanted)
    }

    fn create_in(pins: Pins, lock: Lock, wanted: &InstanceOptions) -> Result<Self> {
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
        pins.discard_beside()?;
        let capacities = wanted.capacities(host_limits()?)?;
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
            kill_point::step();
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
        private::forget(self.pins.instance());
        self.pins.remove()?;
        self.pins.discard_beside()
    }
}

/// Removes everything of an instance, in any state and of any version.
pub fn remove(instance: &str) -> Result<()> {
    let pins = Pins::new(instance);
    let _lock = pins.lock()?;
    nic_state::release_all(&pins, None)?;
    private::forget(instance);
    pins.remove()?;
    pins.discard_beside()
}

/// The record of an instance of this version.
pub(in crate::datapath) fn new_record(capacities: &Capacities, role: Role, netns_cookie: u64) -> Instance {
    let Capacities { services, slots, servers } = *capacities;
    Instance { magic: MAGIC, abi: ABI, role: role_number(role), netns_cookie, services, slots, servers, reserved: 0 }
}
