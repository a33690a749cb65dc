//! What is asked for, and the result.

use crate::{
    change::{
        resolve::{Resolved, UnresolvedServer},
        steps::Interrupt,
    },
    datapath::Mode,
};

/// Options of [`super::reconcile`].
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// Where new programs run.
    pub mode: Mode,
    /// Put the instance on standby, also if it runs already.
    pub standby: bool,
    /// Replace running programs, and publish even if nothing changes.
    pub replace: bool,
    /// The digest of the file that the configuration came from; `None`: keep the recorded one.
    pub source: Option<u64>,
    /// Do it even if that cuts off this host's own traffic.
    pub force: bool,
    /// Whether the operator has interrupted the command.
    pub interrupt: Interrupt,
}

/// Servers resolved before the lock was taken, so that silent ones do not keep other commands waiting.
#[derive(Debug)]
pub struct Prefetched {
    /// The generation in force at the time.
    pub generation: u64,
    /// The indices of the interfaces that were attached.
    pub interfaces: Vec<u32>,
    /// What was found.
    pub resolved: Resolved,
}

/// The result of [`super::reconcile`].
#[derive(Debug)]
pub struct Reconciled {
    /// Lines to print.
    pub lines: Vec<String>,
    /// Whether a new half was published.
    pub published: bool,
    /// Servers that take no flows because their MAC is not known.
    pub unresolved: Vec<UnresolvedServer>,
    /// What would not fit after the worst single failure.
    pub shortages: Vec<String>,
}
