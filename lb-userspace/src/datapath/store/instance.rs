//! One set of maps, found and checked.

use std::ops::Deref;

use lb_common::{
    abi::{ABI, Instance, MAGIC},
    control::Control,
};

use super::{
    counters::{OutcomeCounters, ServerCounters},
    maps::{Mapped, Maps},
    pins::{Lock, Pins, Stamp},
    records::role,
    snapshot::Snapshot,
};
use crate::{
    config::model::Role,
    datapath::{
        capacities::Capacities,
        error::{Error, Result},
    },
    net::namespaces,
};

/// A running instance, for readers: they never wait.
#[derive(Debug)]
pub struct Datapath {
    pub(in crate::datapath) pins: Pins,
    pub(in crate::datapath) maps: Maps,
    pub(in crate::datapath) capacities: Capacities,
    pub(in crate::datapath) role: Role,
    pub(in crate::datapath) servers: ServerCounters,
    pub(in crate::datapath) outcomes: OutcomeCounters,
}

/// An instance that this command alone may change.
#[derive(Debug)]
pub struct Writer {
    pub(in crate::datapath) datapath: Datapath,
    new: bool,
    _lock: Lock,
}

impl Deref for Writer {
    type Target = Datapath;

    fn deref(&self) -> &Datapath {
        &self.datapath
    }
}

impl Writer {
    /// `new`: the instance was made just now, and becomes real by [`Writer::complete`].
    pub(in crate::datapath) const fn new(datapath: Datapath, new: bool, lock: Lock) -> Self {
        Self { datapath, new, _lock: lock }
    }

    /// Whether it was made just now.
    pub const fn is_new(&self) -> bool {
        self.new
    }
}

impl Datapath {
    /// Opens a running instance.
    ///
    /// # Errors
    ///
    /// It is not running, not of this version, or works in another network namespace.
    pub fn open(instance: &str) -> Result<Self> {
        let pins = Pins::new(instance);
        let record = record(&pins)?.ok_or_else(|| Error::NotRunning(instance.to_owned()))?;
        check(&pins, &record)?;
        Self::with(pins, &record)
    }

    /// What the host does.
    pub const fn role(&self) -> Role {
        self.role
    }

    pub(in crate::datapath) fn with(pins: Pins, record: &Instance) -> Result<Self> {
        let capacities = Capacities { services: record.services, slots: record.slots, servers: record.servers };
        let maps = Maps::open(&pins)?;
        let (servers, outcomes) = (ServerCounters::open(&pins)?, OutcomeCounters::open(&pins)?);
        Ok(Self { pins, maps, capacities, role: role(record.role).unwrap_or_default(), servers, outcomes })
    }

    /// What is in force.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::read(&self.maps, &self.capacities, self.role)
    }

    /// How much it can hold.
    pub const fn capacities(&self) -> &Capacities {
        &self.capacities
    }

    /// Counts publications: another one means that something else is in force.
    pub fn generation(&self) -> u64 {
        self.maps.control.load().generation()
    }

    /// The digest of the file that an agent put in force last; 0: none.
    pub fn source(&self) -> u64 {
        self.maps.halves.get(self.maps.control.load().half() as usize).source
    }

    /// What changes when links come and go, and when another instance takes this one's place; `None`: it is gone.
    pub fn stamp(&self) -> Option<Stamp> {
        self.pins.stamp()
    }

    /// The word that is in force.
    pub fn control(&self) -> Control {
        self.maps.control.load()
    }

    /// Whether it forwards nothing.
    pub fn standby(&self) -> bool {
        self.maps.control.load().standby()
    }

    /// Forwards nothing from now on, or everything again. The one change that needs no lock: a takeover must not wait
    /// for a command that resolves MACs.
    pub fn set_standby(&self, standby: bool) {
        self.maps.control.update(|now| now.with_standby(standby));
    }
}

/// What the instance says of itself; `None`: there is none, or it was never completed.
pub(in crate::datapath) fn record(pins: &Pins) -> Result<Option<Instance>> {
    if !pins.map("INSTANCE").exists() {
        return Ok(None);
    }
    let record = Mapped::<Instance>::open(pins, "INSTANCE")?.get(0);
    Ok((record.magic != 0).then_some(record))
}

/// Whether the record is of this ABI and of this network namespace.
pub(in crate::datapath) fn check(pins: &Pins, record: &Instance) -> Result<()> {
    let foreign = |reason| Error::Foreign {
        path: pins.directory().display().to_string(),
        instance: pins.instance().to_owned(),
        reason,
    };
    if record.magic != MAGIC {
        return Err(foreign("it does not say that it is modlb's".to_owned()));
    }
    if record.abi != ABI {
        return Err(foreign(format!("ABI {}, this is {ABI}", record.abi)));
    }
    let cookie = namespaces::cookie().unwrap_or_default();
    if cookie != 0 && record.netns_cookie != 0 && cookie != record.netns_cookie {
        return Err(Error::OtherNamespace(pins.instance().to_owned()));
    }
    Ok(())
}
