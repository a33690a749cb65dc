//! The agent's state, and how it reports what happens.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    time::Duration,
};

use tokio::time::Instant;

use super::{checks::Checks, file::File, neighbours::Neighbours, only::OnlyAgent, source::Source, stop::Stop};
use crate::{
    change::rollback::Abandoned,
    config::model::Failing,
    datapath::{InstanceOptions, Mode, Port, Stamp, Watch, ports},
    net::{Interface, Net},
    observe::agent_view::{self, Level, ServerKey, Shared},
    serve,
};

/// Options of the agent.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Where to listen; `None`: no listener.
    pub listen: Option<serve::Endpoint>,
    /// Where the programs that it attaches run.
    pub mode: Mode,
    /// A new instance starts on standby.
    pub standby: bool,
    /// Capacities and role of a new instance.
    pub wanted: InstanceOptions,
    /// How the listener answers.
    pub serve: serve::Options,
}

/// The instance as it was when the agent last looked.
pub(super) struct LastSeen {
    pub watch: Watch,
    pub stamp: Stamp,
    pub generation: u64,
    /// For `systemctl status`.
    pub summary: String,
    /// When the next server comes back that was taken down for a time, in seconds since the epoch.
    pub next_return: Option<u64>,
}

impl LastSeen {
    /// The interfaces that the instance has been attached to.
    pub async fn ports(&self, net: &Net) -> anyhow::Result<Vec<Port>> {
        ports(&self.watch.open()?, net).await
    }

    /// Whether no other instance has replaced it, and nobody has removed it.
    pub fn is_in_place(&self) -> bool {
        self.watch.stamp().is_some_and(|now| now.inode == self.stamp.inode)
    }
}

/// The agent.
pub(super) struct Agent {
    pub instance: String,
    pub options: Options,
    pub shared: Shared,
    pub net: Net,
    pub source: Source,
    pub file: File,
    /// When to end.
    pub stop: Stop,
    /// The right to manage the instance.
    pub only: OnlyAgent,
    /// Since when another command has held the lock; `None`: this agent got it when it last tried.
    pub busy_since: Option<Instant>,
    /// `None`: there is no instance at present.
    pub seen: Option<LastSeen>,
    /// By index, the interfaces that the instance is attached to.
    pub attached: BTreeMap<u32, Attachment>,
    /// The names of interfaces to attach to as soon as they exist.
    pub wanted: BTreeSet<String>,
    pub neighbours: Neighbours,
    pub checks: Checks,
    /// Servers that are checked.
    pub checked: HashSet<ServerKey>,
    /// Servers whose check fails.
    pub failing: HashMap<ServerKey, Failing>,
    /// When to compare the instance with what the kernel lists.
    pub inspect_at: Option<Instant>,
    /// How long the last comparison took.
    pub inspected_in: Duration,
    /// The network's stamp and the publication for which nothing was found to differ.
    pub compared: Option<(u64, u64)>,
    /// What could not be mended, so that it is reported once.
    pub problems: BTreeSet<String>,
    /// Why wanted interfaces could not be attached to, so that it is reported once.
    pub not_attached: Option<String>,
    /// When to publish findings; `None`: there are none.
    pub publish_at: Option<Instant>,
    /// Servers whose findings are not in force for want of room.
    pub left_out: Vec<ServerKey>,
    /// A change that nobody but the agent rolls back.
    pub abandoned: Abandoned,
    /// How long the last publication took.
    pub published_in: Duration,
    /// The file has been read once, and everything is watched.
    pub ready: bool,
}

/// An interface that the instance is attached to.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    pub interface: Interface,
    /// Whether frames can leave it; `None`: not known yet.
    pub running: Option<bool>,
}

impl Agent {
    /// Wanted interfaces that the instance is not attached to.
    pub fn missing(&self) -> Vec<String> {
        let is_attached = |name: &&String| self.attached.values().any(|attachment| attachment.interface.name == **name);
        self.wanted.iter().filter(|name| !is_attached(name)).cloned().collect()
    }

    /// Logs something that operators should know, and keeps it for the listener.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        agent_view::note(&self.shared, level, text);
    }

    /// The same for many lines, of which only the first are kept.
    pub fn note_all(&self, level: Level, lines: Vec<String>) {
        const MOST: usize = 20;
        let more = lines.len().saturating_sub(MOST);
        for line in lines.into_iter().take(MOST) {
            self.note(level, line);
        }
        if more > 0 {
            self.note(level, format!("and {more} more of the same"));
        }
    }
}
