//! Health checks.
//!
//! ```text
//! task       runs attempts and reports verdicts      schedule   what is due, and each service's share
//! attempt    one attempt: tcp, page (http, https), echo (icmp); tls
//! streak     attempts → whether a server passes      fault      whose fault a failed attempt is
//! local      reports what this host cannot do
//! ```
//!
//! They have a thread of their own, so that nothing that the agent does makes them late.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use self::target::{Target, Verdict};
use self::task::Task;
use crate::observe::agent_view::Shared;

mod attempt;
mod echo;
mod fault;
mod keep_open;
mod local;
mod page;
mod schedule;
mod streak;
mod target;
mod task;
mod tcp;
mod tls;

/// How many attempts may run at the same time, if the process may have that many files open.
const MAX_CONCURRENT: usize = 1_024;

/// Files that the rest of the process needs, most of them for connections to the listener.
const OTHER_FILES: u64 = 512;

/// The same without connections: less would keep the agent from reading its file and publishing verdicts.
const LEAST_FILES: u64 = 48;

/// The task's handle. Dropping it ends the checks.
#[derive(Debug)]
pub struct Checks {
    targets: UnboundedSender<Vec<Target>>,
    verdicts: UnboundedReceiver<Verdict>,
}

impl Checks {
    /// Starts the thread, with nothing to check yet. It stays in the network namespace of its caller.
    ///
    /// # Errors
    ///
    /// The system refuses a thread or an event queue.
    pub fn start(shared: Shared) -> std::io::Result<Self> {
        let (targets, wanted) = unbounded_channel();
        let (reports, verdicts) = unbounded_channel();
        let task = Task::new(shared, reports, places());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("checks".to_owned()).spawn(move || runtime.block_on(task.run(wanted)))?;
        Ok(Self { targets, verdicts })
    }

    /// Checks these servers and no others. Checks that stay the same continue.
    pub fn set(&self, targets: Vec<Target>) {
        // The task outlives this handle.
        let _ = self.targets.send(targets);
    }

    /// The next verdict.
    pub async fn verdict(&mut self) -> Option<Verdict> {
        self.verdicts.recv().await
    }
}

/// How many attempts may run at the same time. Raises the soft limit of open files, which is there for programs that
/// use `select`, as far as needed.
fn places() -> usize {
    let wanted = MAX_CONCURRENT as u64 + OTHER_FILES;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return MAX_CONCURRENT / 4 };
    let raised = soft.max(wanted.min(hard));
    let limit = match raised > soft && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        true => raised,
        false => soft,
    };
    places_of(limit)
}

/// With few files, half of them.
fn places_of(limit: u64) -> usize {
    let left = limit.saturating_sub(OTHER_FILES).max(limit / 2).min(limit.saturating_sub(LEAST_FILES));
    (left as usize).clamp(1, MAX_CONCURRENT)
}

#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod tests;
