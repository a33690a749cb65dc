//! Per-CPU counters: read in batches, summed over the CPUs.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    maps::{MapData, MapInfo},
    util::nr_cpus,
};
use lb_common::{outcome::Outcome, table::Counter};

use super::{
    Error, Result,
    maps::map_error,
    pins::Pins,
    sys::{bpf, update},
};

const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;

/// How many counters one system call reads.
const BATCH: usize = 4_096;

/// The head of `union bpf_attr` for `BPF_MAP_LOOKUP_BATCH`.
#[repr(C)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// A per-CPU array of counters.
#[derive(Debug)]
pub struct Counters {
    map: MapData,
    name: &'static str,
    length: usize,
    cpus: usize,
}

impl Counters {
    /// What each server was sent.
    pub fn servers(pins: &Pins) -> Result<Self> {
        Self::open(pins, "COUNTERS")
    }

    /// What came to each outcome but `forwarded`.
    pub fn outcomes(pins: &Pins) -> Result<Self> {
        Self::open(pins, "OUTCOMES")
    }

    fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        let map = MapData::from_pin(pins.map(name)).map_err(map_error(name))?;
        let length = MapInfo::from_pin(pins.map(name)).map_err(map_error(name))?.max_entries() as usize;
        let cpus = nr_cpus().map_err(|(path, error)| Error::Io(format!("reading {path}"), error))?;
        Ok(Self { map, name, length, cpus })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The values of the given counters, in their order.
    pub fn get(&self, numbers: &[u32]) -> Result<Vec<Counter>> {
        let mut chunks: Vec<Option<Vec<Counter>>> = vec![None; self.length.div_ceil(BATCH)];
        numbers
            .iter()
            .map(|&number| {
                let (chunk, place) = (number as usize / BATCH, number as usize % BATCH);
                if chunks[chunk].is_none() {
                    chunks[chunk] = Some(self.read(chunk * BATCH)?);
                }
                Ok(chunks[chunk].as_ref().map_or_else(Counter::default, |values| values[place]))
            })
            .collect()
    }

    /// The sum for each outcome, in [`Outcome::ALL`]'s order.
    pub fn all(&self) -> Result<Vec<Counter>> {
        self.get(&Outcome::ALL.iter().map(|outcome| outcome.index()).collect::<Vec<_>>())
    }

    /// Sets counters to zero that nobody uses. Those that are zero already, which is most, are not written.
    pub fn zero(&self, numbers: &[u32]) -> Result<()> {
        let values = self.get(numbers)?;
        let zeros = vec![0_u64; self.cpus * 2];
        for (&number, _) in numbers.iter().zip(&values).filter(|(_, value)| **value != Counter::default()) {
            update(self.map.fd().as_fd(), number, &zeros).map_err(Error::io(format!("zeroing {}", self.name)))?;
        }
        Ok(())
    }

    /// A batch from `first` on, summed over the CPUs.
    fn read(&self, first: usize) -> Result<Vec<Counter>> {
        let count = BATCH.min(self.length - first);
        let mut keys = vec![0_u32; count];
        let mut values = vec![0_u64; count * self.cpus * 2];
        // The kernel goes on after the key that it is given, and from the start without one.
        let before = (first as u32).wrapping_sub(1);
        let mut after = 0_u32;
        let batch = Batch {
            in_batch: if first == 0 { 0 } else { &raw const before as u64 },
            out_batch: &raw mut after as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: count as u32,
            map_fd: self.map.fd().as_fd().as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        match bpf(BPF_MAP_LOOKUP_BATCH, &batch) {
            // ENOENT: the last key was reached, with everything before it read.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("reading {}", self.name))(error))
            }
            _ => Ok(values.chunks_exact(self.cpus * 2).map(sum).collect()),
        }
    }
}

fn sum(cpus: &[u64]) -> Counter {
    let mut sum = Counter::default();
    for value in cpus.chunks_exact(2) {
        sum += Counter { packets: value[0], bytes: value[1] };
    }
    sum
}
