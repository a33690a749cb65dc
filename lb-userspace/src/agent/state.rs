//! The agent's state, and how it reports what happens.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use tokio::time::Instant;

use super::{checks::Checks, neighbours::Neighbours, source::Source, systemd};
use crate::{
    config::model::Failing,
    datapath::{Datapath, InstanceOptions, Mode, Stamp},
    net::{Interface, Net},
    observe::agent_view::{Level, ServerKey, Shared},
    serve,
};

/// Options of the agent.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// The address to listen on; `None`: no listener.
    pub listen: Option<SocketAddr>,
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
    pub datapath: Datapath,
    pub stamp: Stamp,
    pub generation: u64,
    /// For `systemctl status`.
    pub summary: String,
}

/// The agent.
pub(super) struct Agent {
    pub instance: String,
    pub options: Options,
    pub shared: Shared,
    pub net: Net,
    pub source: Source,
    /// The digest of the text that was last read.
    pub read: u64,
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
    /// When to publish findings; `None`: there are none.
    pub publish_at: Option<Instant>,
    /// How long the last publication took.
    pub published_in: Duration,
    /// `READY=1` was sent.
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
        let text = text.into();
        match level {
            Level::Info => log::info!("{text}"),
            Level::Warning => log::warn!("{text}"),
            Level::Error => log::error!("{text}"),
        }
        if let Ok(mut view) = self.shared.write() {
            view.note(level, text);
        }
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

    /// Notifies systemd of the state.
    pub fn report(&mut self) {
        let refused = self.shared.read().ok().and_then(|view| view.refused.clone());
        let waiting: Vec<_> = self.missing();
        let mut status = match &self.seen {
            Some(seen) => seen.summary.clone(),
            None => "no instance".to_owned(),
        };
        if !waiting.is_empty() {
            status += &format!("; waiting for {}", waiting.join(", "));
        }
        if let Some(refused) = refused {
            status += &format!("; {} refused: {}", self.source.path().display(), refused.replace('\n', "; "));
        }
        if self.seen.is_some() {
            self.ready = true;
            systemd::ready(&status);
        } else {
            systemd::status(&status);
        }
    }
}
