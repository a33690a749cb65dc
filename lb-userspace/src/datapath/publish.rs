//! Publishes a configuration: writes the idle half, then activates it by one store.
//!
//! Under the instance's lock:
//!
//! 1. wait until no program reads the idle half, which was active before the last publication,
//! 2. write the whole idle half; a command that stops here leaves the active half as it is,
//! 3. store the control word: every later packet uses the new half, and only that one.
//!
//! Counters that the new half is the first to use are zeroed in step 2; the active half does not name them.

use lb_common::table::Counter;

use super::{
    error::Result,
    layout::lay_out::{Layout, lay_out},
    place::Placed,
    store::{grace, instance::Writer, snapshot::Snapshot},
};

/// A configuration that fits and is ready to be written.
#[derive(Debug)]
pub struct Prepared {
    have: Snapshot,
    layout: Layout,
}

impl Prepared {
    /// Records the digest of the file that the configuration came from.
    #[must_use]
    pub fn from_source(mut self, source: Option<u64>) -> Self {
        self.layout.record.source = source.unwrap_or(self.layout.record.source);
        self
    }
}

impl Writer {
    /// Lays out a configuration. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`lay_out`].
    pub fn prepare(&self, placed: &Placed) -> Result<Prepared> {
        let have = self.snapshot();
        grace::wait()?;
        let draining: Vec<_> = have.draining.iter().map(|draining| draining.counter).collect();
        let settled: Vec<Counter> = self.servers.get(&draining);
        let layout = lay_out(placed, &have, &settled, &self.capacities)?;
        Ok(Prepared { have, layout })
    }

    /// Puts in force what this writer has just prepared.
    pub fn publish(&mut self, prepared: &Prepared) -> Result<()> {
        let Prepared { have, layout } = prepared;
        self.datapath.servers.zero(&layout.fresh);
        self.write(have.control.half() ^ 1, layout);
        // After the half is written, else packets meet services without slots. The lock keeps others from publishing,
        // but not from a takeover, so the standby bit is taken from the word as it is now.
        self.datapath.maps.control.update(|now| now.publish(layout.contents));
        Ok(())
    }

    fn write(&mut self, half: u32, layout: &Layout) {
        let capacities = self.capacities;
        let first = |capacity: u32| (half * capacity) as usize;
        let maps = &mut self.datapath.maps;
        maps.cells.write(first(capacities.cells()), &layout.cells);
        maps.prefixes.write(2 * half as usize, &layout.prefixes);
        maps.slots.write(first(capacities.slots), &layout.slots);
        for (counter, next_hop) in &layout.next_hops {
            maps.next_hops.write(first(capacities.counters()) + *counter as usize, &[*next_hop]);
        }
        maps.services.write(first(capacities.services), &layout.services);
        maps.servers.write(first(capacities.servers), &layout.servers);
        maps.draining.write(first(capacities.draining()), &layout.draining);
        maps.halves.write(half as usize, &[layout.record]);
    }
}
