//! One set of maps: made, found, checked.
//!
//! Trap: a command may be killed while it makes an instance. The record in the map `INSTANCE` is written last, so that
//! whatever lacks it was never in force and is cleared away by the next `attach`.

use std::ops::Deref;

use lb_common::{
    abi::{ABI, Instance, MAGIC},
    control::Control,
    limits::{
        CELLS_PER_SERVICE, COUNTERS_PER_SERVER, DEFAULT_SERVERS, DEFAULT_SERVICES, DEFAULT_SLOTS, KEYS_PER_SERVICE,
        MAX_SERVERS, MAX_VALUE_BYTES, OWN_ADDRESSES, PACKED_COUNTERS_PER_LINE,
    },
    table::Counter,
};

use super::{
    Error, Result,
    counters::{OutcomeCounters, ServerCounters, cpus},
    held,
    maps::{Mapped, Maps},
    pins::{Lock, Pins, Stamp},
    program,
    snapshot::Snapshot,
};
use crate::{config::model::Role, netns};

/// How much a half can hold; fixed when the instance is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacities {
    /// Services.
    pub services: u32,
    /// Slots, over all services.
    pub slots: u32,
    /// Server entries, over all services.
    pub servers: u32,
}

impl Default for Capacities {
    fn default() -> Self {
        Self { services: DEFAULT_SERVICES, slots: DEFAULT_SLOTS, servers: DEFAULT_SERVERS }
    }
}

impl Capacities {
    /// Cells of the service table in a half, a power of two; some are for this host's own addresses.
    pub const fn cells(&self) -> u32 {
        ((self.services * KEYS_PER_SERVICE + OWN_ADDRESSES) * CELLS_PER_SERVICE).next_power_of_two()
    }

    /// Counters of servers, which have no halves; whole cache lines of them and of their tallies, so that no line belongs to two CPUs.
    pub const fn counters(&self) -> u32 {
        (self.servers * COUNTERS_PER_SERVER).next_multiple_of(PACKED_COUNTERS_PER_LINE)
    }

    /// Retired counters in a half: at most every server of the half before.
    pub const fn draining(&self) -> u32 {
        self.servers
    }
}

/// What `attach` asks for; what it leaves open is as it is, or as the defaults say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// As [`Capacities::services`].
    pub services: Option<u32>,
    /// As [`Capacities::slots`].
    pub slots: Option<u32>,
    /// As [`Capacities::servers`].
    pub servers: Option<u32>,
    /// What the host is to do.
    pub role: Option<Role>,
}

impl Wanted {
    /// # Errors
    ///
    /// [`Error::TooManyServers`].
    fn capacities(&self, cpus: u32) -> Result<Capacities> {
        let default = Capacities::default();
        let most = most_servers(cpus);
        let servers = self.servers.unwrap_or(default.servers.min(most));
        if servers > most {
            return Err(Error::TooManyServers { want: servers, most, cpus });
        }
        Ok(Capacities {
            services: self.services.unwrap_or(default.services),
            slots: self.slots.unwrap_or(default.slots),
            servers,
        })
    }

    /// Whether a running instance is what is asked for.
    pub(crate) fn check(&self, have: &Capacities, role: Role) -> Result<()> {
        if let Some(want) = self.role.filter(|want| *want != role) {
            return Err(Error::FixedRole { want: want.name(), have: role.name() });
        }
        for (option, want, have) in [
            ("--max-services", self.services, have.services),
            ("--max-slots", self.slots, have.slots),
            ("--max-servers", self.servers, have.servers),
        ] {
            if let Some(want) = want.filter(|want| *want != have) {
                return Err(Error::FixedCapacity { option, want, have });
            }
        }
        Ok(())
    }
}

/// How many servers may have counters where CPUs may have so many numbers: the counters of all CPUs are one value.
const fn most_servers(cpus: u32) -> u32 {
    let counters = MAX_VALUE_BYTES / size_of::<Counter>() as u32 / cpus;
    let most = (counters - counters % PACKED_COUNTERS_PER_LINE) / COUNTERS_PER_SERVER;
    if most < MAX_SERVERS { most } else { MAX_SERVERS }
}

/// A running instance, for readers: they never wait.
#[derive(Debug)]
pub struct Datapath {
    pub(super) pins: Pins,
    pub(super) maps: Maps,
    pub(super) capacities: Capacities,
    pub(super) role: Role,
    pub(super) servers: ServerCounters,
    pub(super) outcomes: OutcomeCounters,
}

/// An instance that this command alone may change.
#[derive(Debug)]
pub struct Writer {
    pub(super) datapath: Datapath,
    new: bool,
    _lock: Lock,
}

impl Deref for Writer {
    type Target = Datapath;

    fn deref(&self) -> &Datapath {
        &self.datapath
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

    fn with(pins: Pins, record: &Instance) -> Result<Self> {
        let capacities = Capacities { services: record.services, slots: record.slots, servers: record.servers };
        let maps = Maps::open(&pins)?;
        let (servers, outcomes) = (ServerCounters::open(&pins)?, OutcomeCounters::open(&pins)?);
        Ok(Self { pins, maps, capacities, role: role(record), servers, outcomes })
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

    /// Forwards nothing from now on, or everything again. The one change that needs no lock: a takeover must not wait for a
    /// command that resolves MACs.
    pub fn set_standby(&self, standby: bool) {
        self.maps.control.update(|now| now.with_standby(standby));
    }
}

impl Writer {
    /// Opens a running instance in order to change it. Waits for another command that does the same.
    ///
    /// # Errors
    ///
    /// As for [`Datapath::open`]; [`Error::Locked`]: the other command does not end.
    pub fn open(instance: &str) -> Result<Self> {
        let pins = Pins::new(instance);
        let lock = pins.lock()?;
        let writer = Self { datapath: Datapath::open(instance)?, new: false, _lock: lock };
        writer.end_stale_tracing()?;
        Ok(writer)
    }

    /// As [`Writer::open`], but `None` instead of waiting for another command.
    ///
    /// # Errors
    ///
    /// As for [`Datapath::open`].
    pub fn try_open(instance: &str) -> Result<Option<Self>> {
        let Some(lock) = Pins::new(instance).lock_now()? else { return Ok(None) };
        Ok(Some(Self { datapath: Datapath::open(instance)?, new: false, _lock: lock }))
    }

    /// Opens an instance, or makes one that becomes real by [`Writer::complete`].
    ///
    /// # Errors
    ///
    /// As for [`Writer::open`]; [`Error::FixedCapacity`]: it runs with another capacity.
    pub fn create(instance: &str, wanted: &Wanted) -> Result<Self> {
        let pins = Pins::new(instance);
        let lock = pins.create()?;
        if let Some(record) = record(&pins)? {
            check(&pins, &record)?;
            let datapath = Datapath::with(pins, &record)?;
            wanted.check(&datapath.capacities, datapath.role)?;
            let writer = Self { datapath, new: false, _lock: lock };
            writer.end_stale_tracing()?;
            return Ok(writer);
        }
        held::give_back(&pins, None)?;
        pins.clear()?;
        let capacities = wanted.capacities(cpus()?)?;
        let made = program::make_maps(&pins, &capacities)
            .and_then(|()| Datapath::with(pins.clone(), &new_record(&capacities, wanted.role.unwrap_or_default(), 0)));
        match made {
            Ok(datapath) => Ok(Self { datapath, new: true, _lock: lock }),
            Err(error) => {
                pins.remove()?;
                Err(error)
            }
        }
    }

    /// Whether it was made just now.
    pub const fn is_new(&self) -> bool {
        self.new
    }

    /// Makes an instance real that was made just now.
    pub fn complete(&mut self) -> Result<()> {
        if self.new {
            let cookie = netns::cookie()
                .map_err(|error| Error::Io("identifying the network namespace".into(), std::io::Error::other(error)))?;
            let record = new_record(&self.datapath.capacities, self.datapath.role, cookie);
            self.datapath.maps.instance.write(0, &[Instance { magic: 0, ..record }]);
            self.datapath.maps.instance.write(0, &[record]);
        }
        Ok(())
    }

    /// Removes an instance that was made just now and could not be put in force; leaves any other alone.
    pub fn abandon(self) -> Result<()> {
        if self.new { self.remove() } else { Ok(()) }
    }

    /// Removes the instance and everything that belongs to it.
    pub fn remove(self) -> Result<()> {
        held::give_back(&self.pins, None)?;
        self.pins.remove()
    }

    /// Removes the links whose interface is gone.
    pub fn forget_gone(&self) -> Result<()> {
        for (index, link) in self.links()? {
            if link.interface.is_none() {
                self.detach(index)?;
            }
        }
        Ok(())
    }
}

/// Removes everything of an instance, whatever state it is in and whoever made it.
pub fn remove(instance: &str) -> Result<()> {
    let pins = Pins::new(instance);
    let _lock = pins.lock()?;
    held::give_back(&pins, None)?;
    pins.remove()
}

fn new_record(capacities: &Capacities, role: Role, netns_cookie: u64) -> Instance {
    let Capacities { services, slots, servers } = *capacities;
    let role = match role {
        Role::Balancer => 0,
        Role::Member => 1,
        Role::Steer => 2,
    };
    Instance { magic: MAGIC, abi: ABI, role, netns_cookie, services, slots, servers, reserved: 0 }
}

/// A number that no version of this ABI writes cannot be met.
const fn role(record: &Instance) -> Role {
    match record.role {
        1 => Role::Member,
        2 => Role::Steer,
        _ => Role::Balancer,
    }
}

/// What the instance says of itself; `None`: there is none, or it was never completed.
fn record(pins: &Pins) -> Result<Option<Instance>> {
    if !pins.map("INSTANCE").exists() {
        return Ok(None);
    }
    let record = Mapped::<Instance>::open(pins, "INSTANCE")?.get(0);
    Ok((record.magic != 0).then_some(record))
}

fn check(pins: &Pins, record: &Instance) -> Result<()> {
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
    let cookie = netns::cookie().unwrap_or_default();
    if cookie != 0 && record.netns_cookie != 0 && cookie != record.netns_cookie {
        return Err(Error::OtherNamespace(pins.instance().to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lb_common::table::PackedCounter;

    use super::*;

    #[test]
    fn counters_of_all_cpus_are_one_value_and_share_no_line() {
        const LINE: u32 = 64;
        for servers in 1..=100 {
            let counters = Capacities { servers, ..Capacities::default() }.counters();
            assert!(
                (counters * size_of::<PackedCounter>() as u32).is_multiple_of(LINE),
                "{servers} servers: {counters}"
            );
        }
        for cpus in [1, 2, 7, 64, 171, 256, 4_096] {
            let servers = most_servers(cpus);
            let capacities = Capacities { servers, ..Capacities::default() };
            let bytes = u64::from(capacities.counters()) * u64::from(cpus) * size_of::<Counter>() as u64;
            assert!(bytes <= u64::from(MAX_VALUE_BYTES), "{cpus} CPUs: {bytes}");
            assert!(Wanted { servers: Some(servers + 1), ..Wanted::default() }.capacities(cpus).is_err());
            assert_eq!(Wanted::default().capacities(cpus).unwrap().servers, servers.min(DEFAULT_SERVERS));
        }
    }
}
