//! The pinned maps as typed memory: no system call stands between a command and a table's entries.

use std::{
    marker::PhantomData,
    num::NonZeroUsize,
    os::fd::AsFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{MapData, MapInfo};
use lb_common::{
    abi::Instance,
    control::Control,
    record::{DrainingRecord, HalfRecord, NicStateRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PackedCounter, PrefixLengths, ServiceCell, Slot},
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::pins::Pins;
use crate::datapath::error::{Error, Result};

/// Values that may lie in a map: any bytes are a valid one.
///
/// # Safety
///
/// The type is `repr(C)` or `repr(transparent)`, without padding, of numbers and arrays of them alone.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),+) => {
        $(
            // SAFETY: the type is made of numbers, and its size is asserted where it is defined.
            unsafe impl Plain for $type {}
        )+
    };
}

plain!(
    u64,
    Instance,
    HalfRecord,
    ServiceRecord,
    ServerRecord,
    DrainingRecord,
    ServiceCell,
    Slot,
    NextHop,
    PrefixLengths
);
plain!(NicStateRecord, Counter, PackedCounter);

/// An array map in this process's memory: its values, or the entries of the table that is its one value.
///
/// Trap: the kernel rounds the distance between values up to 8 bytes, so values of any other size would not lie where
/// they are looked for.
#[derive(Debug)]
pub struct Mapped<T> {
    start: NonNull<T>,
    length: usize,
    _values: PhantomData<T>,
}

// SAFETY: the memory is shared with the kernel and other processes in any case; access goes through volatile copies.
unsafe impl<T> Send for Mapped<T> {}

impl<T: Plain> Mapped<T> {
    /// Maps the map that is pinned under this name.
    pub fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        Self::map(pins, name, |bytes| bytes == size_of::<T>())
    }

    /// The same for a map whose one value is a table of `T`.
    pub fn open_table(pins: &Pins, name: &'static str) -> Result<Self> {
        Self::map(pins, name, |bytes| bytes.is_multiple_of(size_of::<T>()))
    }

    fn map(pins: &Pins, name: &'static str, fits: impl FnOnce(usize) -> bool) -> Result<Self> {
        let data = MapData::from_pin(pins.map(name)).map_err(|error| Error::Map(name, error))?;
        let info = MapInfo::from_pin(pins.map(name)).map_err(|error| Error::Map(name, error))?;
        let foreign = |reason: String| Error::Foreign {
            path: pins.directory().display().to_string(),
            instance: pins.instance().to_owned(),
            reason,
        };
        let (value, entries) = (info.value_size() as usize, info.max_entries() as usize);
        if !fits(value) {
            return Err(foreign(format!("values of {name} have {value} bytes, not {}", size_of::<T>())));
        }
        let length = entries * (value / size_of::<T>());
        let bytes = NonZeroUsize::new(length * size_of::<T>()).ok_or_else(|| foreign(format!("{name} is empty")))?;
        // SAFETY: a new mapping of the map's values, nowhere in particular.
        let start = unsafe {
            mmap(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, data.fd().as_fd(), 0)
        }
        .map_err(Error::errno(format!("mapping {name}")))?;
        Ok(Self { start: start.cast(), length, _values: PhantomData })
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A copy of one value.
    pub fn get(&self, index: usize) -> T {
        assert!(index < self.length, "a map's index is beyond its end");
        // SAFETY: within the mapping; the type is plain, so whatever a writer is doing the bytes are a value.
        unsafe { self.start.add(index).read_volatile() }
    }

    /// Copies of `count` values from `first` on.
    pub fn read(&self, first: usize, count: usize) -> Vec<T> {
        (first..first + count).map(|index| self.get(index)).collect()
    }

    /// Writes `values` from `first` on.
    pub fn write(&mut self, first: usize, values: &[T]) {
        assert!(first + values.len() <= self.length, "a write goes beyond a map's end");
        // SAFETY: within the mapping, and `values` is not part of it.
        unsafe { self.start.add(first).copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `open` made, used by nobody any more. There is nothing to do if it fails.
        let _ = unsafe { munmap(self.start.cast(), self.length * size_of::<T>()) };
    }
}

/// The control word: the one value whose store publishes.
#[derive(Debug)]
pub struct ControlWord(Mapped<u64>);

impl ControlWord {
    fn atomic(&self) -> &AtomicU64 {
        // SAFETY: aligned to a page, alive as long as the mapping, and only ever accessed atomically here.
        unsafe { AtomicU64::from_ptr(self.0.start.as_ptr()) }
    }

    /// What is in force.
    pub fn load(&self) -> Control {
        Control(self.atomic().load(Ordering::Acquire))
    }

    /// Puts the word in force that `change` makes of the one that is. Everything written before is visible to whoever
    /// sees it. A publication and a takeover that meet here both count: neither may undo the other.
    pub fn update(&self, change: impl Fn(Control) -> Control) {
        let word = self.atomic();
        let mut now = word.load(Ordering::Acquire);
        while let Err(other) =
            word.compare_exchange_weak(now, change(Control(now)).0, Ordering::AcqRel, Ordering::Acquire)
        {
            now = other;
        }
    }
}

/// Every array map of an instance.
#[derive(Debug)]
pub struct Maps {
    /// What is in force.
    pub control: ControlWord,
    /// What the instance is.
    pub instance: Mapped<Instance>,
    /// What each half holds.
    pub halves: Mapped<HalfRecord>,
    /// The services' records.
    pub services: Mapped<ServiceRecord>,
    /// The servers' records.
    pub servers: Mapped<ServerRecord>,
    /// Counters of servers that left.
    pub draining: Mapped<DrainingRecord>,
    /// The table of services.
    pub cells: Mapped<ServiceCell>,
    /// The lengths of prefixes.
    pub prefixes: Mapped<PrefixLengths>,
    /// All slots.
    pub slots: Mapped<Slot>,
    /// Servers that a slot alone does not describe.
    pub next_hops: Mapped<NextHop>,
    /// What is held of interfaces.
    pub nic_states: Mapped<NicStateRecord>,
}

impl Maps {
    /// Maps them all.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self {
            control: ControlWord(Mapped::open(pins, "CONTROL")?),
            instance: Mapped::open(pins, "INSTANCE")?,
            halves: Mapped::open(pins, "HALVES")?,
            services: Mapped::open(pins, "SERVICES")?,
            servers: Mapped::open(pins, "SERVERS")?,
            draining: Mapped::open(pins, "RETIRED")?,
            cells: Mapped::open_table(pins, "CELLS")?,
            prefixes: Mapped::open(pins, "PREFIXES")?,
            slots: Mapped::open_table(pins, "SLOTS")?,
            next_hops: Mapped::open(pins, "REMOTES")?,
            nic_states: Mapped::open(pins, "HELD")?,
        })
    }
}
