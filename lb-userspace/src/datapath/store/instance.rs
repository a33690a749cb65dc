//! Opens an instance: finds its pins, and checks its record.

use std::ops::Deref;

use lb_common::{
    abi::{ABI, FORMER_ABI, Instance, MAGIC},
    control::Control,
};

use super::{
    counters::{OutcomeCounters, ServerCounters, TakenCounters, cpus},
    maps::{Mapped, Maps},
    pins::{Lock, Pins},
    records::role,
    snapshot::Snapshot,
};
use crate::{
    config::model::Role,
    datapath::{
        capacities::Capacities,
        error::{Error, Result},
        kill_point,
    },
    net::namespaces,
};

/// A running instance, for readers. They never wait.
#[derive(Debug)]
pub struct Datapath {
    pub(in crate::datapath) pins: Pins,
    pub(in crate::datapath) maps: Maps,
    pub(in crate::datapath) capacities: Capacities,
    pub(in crate::datapath) role: Role,
    pub(in crate::datapath) servers: ServerCounters,
    pub(in crate::datapath) outcomes: OutcomeCounters,
    pub(in crate::datapath) taken: TakenCounters,
}

/// An instance whose lock this command holds, so that it may change it.
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
    /// `new`: this command has made the instance, and [`Writer::complete`] has to complete it.
    pub(in crate::datapath) const fn new(datapath: Datapath, new: bool, lock: Lock) -> Self {
        Self { datapath, new, _lock: lock }
    }

    /// Whether this command has made it.
    pub const fn is_new(&self) -> bool {
        self.new
    }
}

impl Datapath {
    /// Opens a running instance.
    ///
    /// # Errors
    ///
    /// It is not running, is of another version, or belongs to another network namespace.
    pub fn open(instance: &str) -> Result<Self> {
        let pins = Pins::new(instance);
        let record = record(&pins)?.ok_or_else(|| pins.missing())?;
        check(&pins, &record)?;
        Self::with(pins, &record)
    }

    /// The role of this host.
    pub const fn role(&self) -> Role {
        self.role
    }

    pub(in crate::datapath) fn with(pins: Pins, record: &Instance) -> Result<Self> {
        let capacities = Capacities { services: record.services, slots: record.slots, servers: record.servers };
        let maps = Maps::open(&pins)?;
        let (servers, outcomes) = (ServerCounters::open(&pins)?, OutcomeCounters::open(&pins)?);
        let taken = TakenCounters::open(&pins)?;
        Ok(Self { pins, maps, capacities, role: role(record.role).unwrap_or_default(), servers, outcomes, taken })
    }

    /// Reads what is in force.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::read(&self.maps, &self.capacities, self.role)
    }

    /// Its capacities.
    pub const fn capacities(&self) -> &Capacities {
        &self.capacities
    }

    /// The memory that its tables take, in bytes.
    ///
    /// # Errors
    ///
    /// The number of CPUs cannot be read.
    pub fn memory(&self) -> Result<u64> {
        Ok(self.capacities.memory(cpus()?))
    }

    /// Counts publications. Another number means that another configuration is in force.
    pub fn generation(&self) -> u64 {
        self.maps.control.load().generation()
    }

    /// The digest of the file that an agent last put in force; 0: none.
    pub fn source(&self) -> u64 {
        self.maps.halves.get(self.maps.control.load().half() as usize).source
    }

    /// The control word in force.
    pub fn control(&self) -> Control {
        self.maps.control.load()
    }

    /// Whether it is on standby and forwards nothing.
    pub fn standby(&self) -> bool {
        self.maps.control.load().standby()
    }

    /// Stops or resumes forwarding. This is the only change without the lock: a takeover must not wait for a command
    /// that resolves MACs.
    pub fn set_standby(&self, standby: bool) {
        self.maps.control.update(|now| now.with_standby(standby));
        kill_point::step();
    }
}

/// Reads the instance's record; `None`: there is none, or the instance was never completed.
pub(in crate::datapath) fn record(pins: &Pins) -> Result<Option<Instance>> {
    if !pins.exist()? || !pins.map("INSTANCE").exists() {
        return Ok(None);
    }
    let record = Mapped::<Instance>::open(pins, "INSTANCE")?.get(0);
    Ok((record.magic != 0).then_some(record))
}

/// Checks that the record is of this ABI and network namespace.
pub(in crate::datapath) fn check(pins: &Pins, record: &Instance) -> Result<()> {
    let foreign = |reason| Error::Foreign {
        path: pins.directory().display().to_string(),
        instance: pins.instance().to_owned(),
        reason,
    };
    if record.magic != MAGIC {
        return Err(foreign("its map INSTANCE is not a record of modlb".to_owned()));
    }
    if record.abi == FORMER_ABI {
        return Err(Error::Former(pins.instance().to_owned()));
    }
    if record.abi != ABI {
        return Err(foreign(format!("ABI {}, this is {ABI}", record.abi)));
    }
    check_namespace(pins, record)
}

/// Checks that the record is of this network namespace.
pub(in crate::datapath) fn check_namespace(pins: &Pins, record: &Instance) -> Result<()> {
    let cookie = namespaces::cookie().unwrap_or_default();
    if cookie != 0 && record.netns_cookie != 0 && cookie != record.netns_cookie {
        return Err(Error::OtherNamespace(pins.instance().to_owned()));
    }
    Ok(())
}
