//! Compares the instance with what the kernel lists, and mends what differs.
//!
//! Events are hints: they are lost in an overrun, and some changes have none. So the comparison is made soon after an
//! event, and in any case every few seconds.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use tokio::time::Instant;

use super::{
    lock::is_busy,
    memory::give_back,
    state::{Agent, LastSeen},
};
use crate::{
    change::{
        inspect::{inspect, without_servers},
        mend::mend,
    },
    datapath::Error,
    observe::agent_view::Level,
};

/// Events within this time are looked at together.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// The pause after a comparison, as a multiple of the time that it took: a router's routes may change all the time.
const PAUSE_FACTOR: u32 = 5;

impl Agent {
    /// Compares after a pause, which is short unless comparing takes long.
    pub(super) fn inspect_soon(&mut self) {
        let pause = BATCH_INTERVAL.max(self.inspected_in * PAUSE_FACTOR);
        self.inspect_at.get_or_insert_with(|| Instant::now() + pause);
    }

    /// Compares now, and mends what differs.
    pub(super) async fn inspect(&mut self) {
        self.inspect_at = None;
        let start = Instant::now();
        // Whatever stamps say, unless it is another instance by now, which `look` follows.
        if self.seen.as_ref().is_some_and(LastSeen::is_in_place) {
            self.follow_links().await;
        }
        if let Err(error) = self.try_inspect().await {
            if is_busy(&error) {
                // Problems are as they were, and a command may be about to mend them.
                self.inspected_in = start.elapsed();
                return self.inspect_soon();
            }
            self.problem(BTreeSet::from([format!("what is attached cannot be compared: {error:#}")]));
        }
        self.inspected_in = start.elapsed();
        if self.neighbours.look(&self.net).await {
            self.publish_soon();
        }
        if self.neighbours.lacks_routes {
            self.refresh(false).await;
        }
        for name in self.missing() {
            if self.net.interface(&name).await.is_ok() {
                return self.attach_again().await;
            }
        }
    }

    async fn try_inspect(&mut self) -> Result<()> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let datapath = match seen.watch.open() {
            Ok(datapath) => datapath,
            // `look` notices that.
            Err(Error::NotRunning(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = (self.net.stamp(self.attached.keys().copied()).await?, seen.watch.generation());
        // Asking for the route to each server takes long where there are many, and gives the same answers as before.
        let differences = match self.compared == Some(now) {
            true => without_servers(&datapath, &self.net).await?,
            false => {
                let differences = inspect(&datapath, &self.net).await?;
                give_back();
                differences
            }
        };
        drop(datapath);
        self.compared = Some(now).filter(|_| differences.is_empty());
        if differences.is_empty() {
            self.problems.clear();
            return Ok(());
        }
        let Some(mut writer) = self.lock()? else { return Ok(()) };
        let mended = mend(&mut writer, &self.net).await?;
        drop(writer);
        let changes = !mended.lines.is_empty() || mended.published;
        self.note_all(Level::Info, mended.lines);
        if mended.published {
            let servers = differences.iter().filter(|it| it.interface.is_none()).map(ToString::to_string).collect();
            self.note_all(Level::Info, servers);
            if let Ok(mut view) = self.shared.write() {
                view.publishes += 1;
            }
        }
        self.problem(mended.problems.into_iter().collect());
        if changes {
            // Before the links are read, so that what changes meanwhile is noticed later.
            if let Some(seen) = &mut self.seen {
                seen.stamp = seen.watch.stamp().unwrap_or(seen.stamp);
            }
            self.look_at_links().await;
            self.refresh(true).await;
            self.report();
        }
        Ok(())
    }

    /// Reports problems that were not there before.
    fn problem(&mut self, now: BTreeSet<String>) {
        let new: Vec<_> = now.difference(&self.problems).cloned().collect();
        self.problems = now;
        self.note_all(Level::Error, new);
    }
}
