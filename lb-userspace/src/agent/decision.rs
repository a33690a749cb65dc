//! Looks at the file, and decides what becomes of it: at the start, on SIGHUP, and when the file changes.
//!
//! Changes by commands stay until the file changes. So an agent that starts again leaves the configuration alone if the
//! file is the one that was last put in force.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{self, Instant};

use super::{
    refusal::{Unconfirmed, passes},
    source::Text,
    state::Agent,
    systemd,
};
use crate::{
    change::{emptied, rollback, upgrade::upgrade},
    config::file,
    datapath::{Datapath, Error},
    observe::agent_view::Level,
};

/// A file that has less in it than what is in force must stay the same for this long: its writer may be half-way.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How often a starting agent looks at such a file before it is ready.
const LOOKS_AT_START: usize = 3;

/// Why the file is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// It may have changed.
    Look,
    /// SIGHUP.
    Asked,
    /// It could not be put in force before, or an interface that it names has appeared.
    Again,
}

/// What became of a file that is neither refused nor cannot be put in force.
enum Judged {
    Applied,
    /// It has less in it than what is in force, and is looked at again at this moment.
    Suspect(Instant),
    /// There is no interface to attach to.
    Waits,
}

impl Agent {
    /// Puts the file in force, unless it is already.
    ///
    /// # Errors
    ///
    /// There is no instance, and none can be made. A refused file is not an error while an instance runs.
    pub(super) async fn start(&mut self) -> Result<()> {
        let mut result = self.look_at_file(Why::Again).await;
        for _ in 1..LOOKS_AT_START {
            let Ok(Some(at)) = result else { break };
            time::sleep_until(at).await;
            result = self.look_at_file(Why::Again).await;
        }
        match (result, Datapath::open(&self.instance)) {
            // A suspect text: the loop looks at it again.
            (Ok(Some(_)), _) => self.adopt().await,
            (Ok(None), _) => {}
            (Err(error), Ok(_)) => {
                self.refuse(&error, true);
                self.adopt().await;
            }
            (Err(error), Err(_)) if passes(&error) => self.refuse(&error, true),
            (Err(error), Err(Error::NotRunning(_))) => return Err(error),
            // It is of another version, for example.
            (Err(_), Err(error)) => return Err(error.into()),
        }
        self.ready = true;
        self.report();
        Ok(())
    }

    /// Looks at the file, and puts it in force if it is to be.
    pub(super) async fn reload(&mut self, why: Why) {
        if let Err(error) = self.look_at_file(why).await {
            self.refuse(&error, why == Why::Asked);
        }
        self.report();
    }

    /// Reads the file and puts it in force, unless it was judged before. Returns when to look at it again, if it is
    /// suspect.
    async fn look_at_file(&mut self, why: Why) -> Result<Option<Instant>> {
        let text = match self.source.read().await {
            Ok(text) => text,
            Err(unreadable) if self.ready || Datapath::open(&self.instance).is_ok() => {
                self.unreadable(&unreadable, why == Why::Asked);
                // The text may be the same when it is back, and is judged as if this had not been.
                self.file.suspect = None;
                if !self.ready {
                    self.adopt().await;
                }
                return Ok(None);
            }
            Err(unreadable) => bail!("{}: {unreadable}", self.source.path().display()),
        };
        self.readable();
        if why == Why::Look && self.file.judged == Some(text.digest) {
            self.file.suspect = None;
            return Ok(None);
        }
        self.file.begun |= why == Why::Asked;
        match self.judge(&text).await {
            Ok(Judged::Suspect(at)) => {
                self.source.look_by(at);
                Ok(Some(at))
            }
            Ok(judged) => {
                self.judged(&text);
                if let (Judged::Applied, Ok(mut view)) = (judged, self.shared.write()) {
                    view.reloads += u64::from(self.ready);
                }
                Ok(None)
            }
            Err(error) => {
                self.judged(&text);
                Err(error)
            }
        }
    }

    fn judged(&mut self, text: &Text) {
        self.file.judged = Some(text.digest);
        self.file.suspect = None;
    }

    /// Puts a text in force. What commands changed stays if a starting agent finds the text that was last put in force.
    async fn judge(&mut self, text: &Text) -> Result<Judged> {
        self.upgrade().await?;
        let path = self.source.path().display().to_string();
        let have = Datapath::open(&self.instance).ok();
        let same = !self.file.begun && have.as_ref().is_some_and(|have| have.source() == text.digest);
        if !same
            && text.text.len() < self.file.length
            && let Some(at) = self.suspect(text)
        {
            return Ok(Judged::Suspect(at));
        }
        if self.ready {
            systemd::reloading();
        }
        let role = have.as_ref().map(Datapath::role).or(self.options.wanted.role);
        let config = file::parse_for(&text.text, role).map_err(|error| error.in_file(&path))?;
        if let Some(have) = have.filter(|_| !same) {
            let have = have.snapshot().config;
            emptied::refuse(&have, &config, || file::is_empty_on_purpose(&text.text))?;
            if let Some(loss) = emptied::loss(&have, &config)
                && let Some(at) = self.suspect(text)
            {
                log::debug!("{path} has {loss}; it is looked at again");
                return Ok(Judged::Suspect(at));
            }
            if rollback::find(&self.instance)?.is_some() {
                bail!(Unconfirmed);
            }
        }
        let names = config.interfaces.clone();
        let config = Some(config).filter(|_| !same);
        if let Some(waits) = self.reconcile(config, &names, Some(text.digest)).await? {
            self.waits_for_interface(&waits);
            return Ok(Judged::Waits);
        }
        self.file.settle();
        self.file.begun = true;
        self.file.length = text.text.len();
        let waiting = match &self.missing()[..] {
            [] => String::new(),
            missing => format!("; waiting for {}", missing.join(", ")),
        };
        self.note(
            Level::Info,
            match same {
                true => format!("{path} is in force already; what commands changed since stays{waiting}"),
                false => format!("{path} is in force{waiting}"),
            },
        );
        Ok(Judged::Applied)
    }

    /// When to look again at a text that has less in it than what is in force; `None`: it has stayed the same.
    fn suspect(&mut self, text: &Text) -> Option<Instant> {
        // One that was judged before has stayed the same since.
        if self.file.judged == Some(text.digest) {
            return None;
        }
        let since = match self.file.suspect {
            Some((digest, since)) if digest == text.digest => since,
            _ => Instant::now(),
        };
        self.file.suspect = Some((text.digest, since));
        Some(since + SECOND_LOOK).filter(|at| *at > Instant::now())
    }

    /// Upgrades an instance of the version before.
    async fn upgrade(&mut self) -> Result<()> {
        if !matches!(Datapath::open(&self.instance), Err(Error::Former(_))) {
            return Ok(());
        }
        // It takes the lock itself, and would wait for it without hearing a signal.
        match self.lock_soon().await.map_err(|error| error.downcast::<Error>()) {
            Ok(_) | Err(Ok(Error::Former(_))) => {}
            Err(Ok(error)) => return Err(error.into()),
            Err(Err(error)) => return Err(error),
        }
        let _changing = self.stop.changing();
        if let Some(lines) = upgrade(&self.instance, &self.net).await? {
            self.note(Level::Info, format!("instance {} was made by an earlier modlb; it is upgraded", self.instance));
            self.note_all(Level::Info, lines);
        }
        Ok(())
    }
}
