//! The pinned maps as typed memory, read and written without system calls.

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
    prefixes::{PrefixFilter, PrefixLengths},
    record::{DrainingRecord, HalfRecord, NicStateRecord, PortRecord, PreviousRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PackedCounter, ServiceCell, Slot},
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::pins::Pins;
use crate::datapath::error::{Error, Result};

/// Types of which any bytes are a valid value, so that they may lie in a map.
///
/// # Safety
///
/// The type is `repr(C)` or `repr(transparent)`, has no padding, and consists of numbers and arrays of numbers.
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
    PreviousRecord,
    DrainingRecord,
    ServiceCell,
    Slot,
    NextHop,
    PrefixLengths,
    PrefixFilter
);
plain!(NicStateRecord, PortRecord, Counter, PackedCounter);

/// An array map in this process's memory: its values, or the entries of a table that is its only value.
///
/// Trap: the kernel places values at multiples of 8 bytes, so a value's size must be such a multiple.
#[derive(Debug)]
pub struct Mapped<T> {
    start: NonNull<T>,
    length: usize,
    _values: PhantomData<T>,
}

// SAFETY: the memory is shared with the kernel and other processes anyway; all access is by volatile copies.
unsafe impl<T> Send for Mapped<T> {}
// SAFETY: the same; what writes takes the mapping exclusively.
unsafe impl<T> Sync for Mapped<T> {}

impl<T: Plain> Mapped<T> {
    /// Maps the values of the map that is pinned under this name.
    pub fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        Self::map(pins, name, |bytes| bytes == size_of::<T>())
    }

    /// The same for a map whose only value is a table of `T`.
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
        // SAFETY: a new mapping, at an address that the kernel chooses.
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
        // SAFETY: within the mapping; the type is plain, so the bytes are a value even while a writer changes them.
        unsafe { self.start.add(index).read_volatile() }
    }

    /// Copies of `count` values, starting at `first`.
    pub fn read(&self, first: usize, count: usize) -> Vec<T> {
        (first..first + count).map(|index| self.get(index)).collect()
    }

    /// Writes `values`, starting at `first`.
    pub fn write(&mut self, first: usize, values: &[T]) {
        assert!(first + values.len() <= self.length, "a write goes beyond a map's end");
        // SAFETY: within the mapping, and `values` is not part of it.
        unsafe { self.start.add(first).copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `open` made, and nothing uses it any more. A failure cannot be handled.
        let _ = unsafe { munmap(self.start.cast(), self.length * size_of::<T>()) };
    }
}

/// The control word. Storing it publishes a half.
#[derive(Debug)]
pub struct ControlWord(Mapped<u64>);

impl ControlWord {
    /// The word of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self(Mapped::open(pins, "CONTROL")?))
    }

    fn atomic(&self) -> &AtomicU64 {
        // SAFETY: aligned to a page, alive as long as the mapping, and only ever accessed atomically here.
        unsafe { AtomicU64::from_ptr(self.0.start.as_ptr()) }
    }

    /// The word in force.
    pub fn load(&self) -> Control {
        Control(self.atomic().load(Ordering::Acquire))
    }

    /// Applies `change` to the word. A reader that sees the new word also sees everything written before it. If a
    /// publication and a takeover meet here, neither undoes the other.
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
    /// The control word.
    pub control: ControlWord,
    /// The instance's record.
    pub instance: Mapped<Instance>,
    /// The record of each half.
    pub halves: Mapped<HalfRecord>,
    /// The services' records.
    pub services: Mapped<ServiceRecord>,
    /// The servers' records.
    pub servers: Mapped<ServerRecord>,
    /// The records of servers of previous lists.
    pub previous: Mapped<PreviousRecord>,
    /// Counters of servers that left.
    pub draining: Mapped<DrainingRecord>,
    /// The table of services.
    pub cells: Mapped<ServiceCell>,
    /// The lengths of prefixes.
    pub prefixes: Mapped<PrefixLengths>,
    /// The filters of prefixes.
    pub filters: Mapped<PrefixFilter>,
    /// All slots.
    pub slots: Mapped<Slot>,
    /// Servers that a slot alone does not describe.
    pub next_hops: Mapped<NextHop>,
    /// Interface settings that no link holds.
    pub nic_states: Mapped<NicStateRecord>,
    /// The attached interfaces.
    pub ports: Mapped<PortRecord>,
}

impl Maps {
    /// Opens all of them.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self {
            control: ControlWord::open(pins)?,
            instance: Mapped::open(pins, "INSTANCE")?,
            halves: Mapped::open(pins, "HALVES")?,
            services: Mapped::open(pins, "SERVICES")?,
            servers: Mapped::open(pins, "SERVERS")?,
            previous: Mapped::open(pins, "PREVIOUS")?,
            draining: Mapped::open(pins, "RETIRED")?,
            cells: Mapped::open_table(pins, "CELLS")?,
            prefixes: Mapped::open_table(pins, "PREFIXES")?,
            filters: Mapped::open_table(pins, "FILTERS")?,
            slots: Mapped::open_table(pins, "SLOTS")?,
            next_hops: Mapped::open(pins, "REMOTES")?,
            nic_states: Mapped::open(pins, "HELD")?,
            ports: Mapped::open(pins, "PORTS")?,
        })
    }
}
