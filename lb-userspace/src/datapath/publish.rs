//! Publishes a configuration: writes the idle half, then activates it by one store.
//!
//! Under the instance's lock:
//!
//! 1. wait until no program reads the idle half, which was active before the last publication (if there was one),
//! 2. write the whole idle half; a command that stops here leaves the active half as it is,
//! 3. store the control word: every later packet uses the new half, and only that one.
//!
//! Counters that the new half is the first to use are zeroed in step 2; the active half does not name them.

use lb_common::table::Counter;

use super::{
    error::Result,
    kill_point,
    layout::lay_out::{Layout, fits, lay_out},
    place::Placed,
    store::{grace, instance::Writer, snapshot::Snapshot},
};
use crate::{config::model::health::now, decide::slots::Refinement};

/// A configuration that fits and is ready to be written.
#[derive(Debug)]
pub struct Prepared {
    have: Snapshot,
    layout: Layout,
}

impl Prepared {
    /// What to know if its tables are not as fine as those in force.
    pub fn coarser(&self) -> Option<String> {
        let now = Refinement::from_slots(self.layout.record.refined_slots);
        (now != self.have.refinement()).then(|| now.to_string())
    }

    /// Records how many servers' findings it leaves out, for want of room.
    #[must_use]
    pub fn leaving_out(mut self, servers: usize) -> Self {
        self.layout.record.left_out = servers as u32;
        self
    }

    /// Records the digest of the file that the configuration came from.
    #[must_use]
    pub fn from_source(mut self, source: Option<u64>) -> Self {
        self.layout.record.source = source.unwrap_or(self.layout.record.source);
        self
    }

    /// Adds what a former ABI counted for servers and services that were no longer configured, by service and for
    /// former services.
    #[must_use]
    pub(in crate::datapath) fn carrying(mut self, services: &[Counter], former: Counter) -> Self {
        for (service, counter) in self.layout.services.iter_mut().zip(services) {
            service.former += *counter;
        }
        self.layout.record.former += former;
        self.carried()
    }

    /// Records that this was done.
    #[must_use]
    pub(in crate::datapath) fn carried(mut self) -> Self {
        self.layout.record.carried = 1;
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
        // Before the first publication no program has read the idle half.
        if have.control.generation() > 0 {
            grace::wait()?;
        }
        let draining: Vec<_> = have.draining.iter().map(|draining| draining.counter).collect();
        let settled: Vec<Counter> = self.servers.get(&draining);
        let mut layout = lay_out(placed, &have, &settled, &self.capacities)?;
        layout.date_transitions(&placed.config.services, &have, now());
        Ok(Prepared { have, layout })
    }

    /// Finds out whether a configuration fits in place of `have`. Writes nothing, and waits for nothing.
    ///
    /// # Errors
    ///
    /// Those of [`lay_out`].
    pub fn fits(&self, have: &Snapshot, placed: &Placed) -> Result<()> {
        fits(placed, have, &self.capacities)
    }

    /// Puts in force what this writer has just prepared.
    pub fn publish(&mut self, prepared: &Prepared) -> Result<()> {
        let Prepared { have, layout } = prepared;
        self.datapath.servers.zero(&layout.fresh);
        self.datapath.taken.zero(&layout.fresh_taken);
        self.write(have.control.half() ^ 1, layout);
        // After the half is written, else packets meet services without slots. The lock keeps others from publishing,
        // but not from a takeover, so the standby bit is taken from the word as it is now.
        self.datapath.maps.control.update(|now| now.publish(layout.contents));
        kill_point::step();
        Ok(())
    }

    fn write(&mut self, half: u32, layout: &Layout) {
        let capacities = self.capacities;
        let first = |capacity: u32| (half * capacity) as usize;
        let maps = &mut self.datapath.maps;
        maps.cells.write(first(capacities.cells()), &layout.cells);
        maps.prefixes.write(2 * half as usize, &layout.prefixes);
        maps.filters.write(2 * half as usize, &layout.filters);
        maps.slots.write(first(capacities.slots), &layout.slots);
        for (counter, next_hop) in &layout.next_hops {
            maps.next_hops.write(first(capacities.counters()) + *counter as usize, &[*next_hop]);
        }
        maps.services.write(first(capacities.services), &layout.services);
        maps.servers.write(first(capacities.servers), &layout.servers);
        maps.previous.write(first(capacities.previous()), &layout.previous);
        maps.draining.write(first(capacities.draining()), &layout.draining);
        maps.halves.write(half as usize, &[layout.record]);
    }
}
