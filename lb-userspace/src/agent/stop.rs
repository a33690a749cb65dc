//! When the agent ends: at once, whatever it waits for, but not in the middle of a change.

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time,
};

use super::systemd::Watchdog;
use crate::change::steps::Interrupt;

/// A change that has begun is finished or undone within this time, or the agent ends without.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// The request to end, and whether a change is being made.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    interrupt: Interrupt,
    changing: Arc<watch::Sender<bool>>,
}

/// While it lives, a change is being made.
#[derive(Debug)]
pub struct Changing(Arc<watch::Sender<bool>>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Stop {
    /// Requested by SIGTERM and SIGINT.
    pub fn on_signals() -> Result<Self> {
        let catch = |kind| signal(kind).context("catching signals");
        let (mut terminate, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
        let stop = Self::default();
        let set = stop.interrupt.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            set.set();
        });
        Ok(stop)
    }

    /// Interrupts a change between two of its steps.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Keeps the agent from ending before this change does.
    pub fn changing(&self) -> Changing {
        self.changing.send_replace(true);
        Changing(Arc::clone(&self.changing))
    }

    /// Does some work, and tells systemd that the agent is alive meanwhile. `None`: the agent ends.
    pub async fn during<T>(&self, watchdog: &mut Watchdog, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        watchdog.begin();
        loop {
            tokio::select! {
                biased;
                () = self.due() => return None,
                () = watchdog.tick() => {}
                // What was interrupted is no result.
                result = &mut work => return (!self.interrupt.is_set()).then_some(result),
            }
        }
    }

    /// Returns when the agent is to end, and no change is being made.
    async fn due(&self) {
        self.interrupt.wait().await;
        let mut changing = self.changing.subscribe();
        let _ = time::timeout(CHANGE_LIMIT, changing.wait_for(|changing| !changing)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_at_once_and_a_change_is_finished() {
        let (stop, mut watchdog) = (Stop::default(), Watchdog::default());
        assert_eq!(stop.during(&mut watchdog, async { 1 }).await, Some(1));
        let mut done = 0;
        let work = async {
            let changing = stop.changing();
            stop.interrupt.set();
            tokio::task::yield_now().await;
            done += 1;
            drop(changing);
            std::future::pending::<()>().await;
        };
        assert_eq!(stop.during(&mut watchdog, work).await, None);
        assert_eq!(done, 1);
    }
}
