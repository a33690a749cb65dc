//! Puts the file in force: at the start, on SIGHUP, and when the file changes. The steps are those of `attach`, `apply`
//! and `detach`.
//!
//! Changes by commands stay until the file changes. So an agent that starts again leaves the configuration alone if the
//! file is the one that was last put in force.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{self, Instant};

use super::{state::Agent, systemd};
use crate::{
    change::{
        reconcile::{AttachOptions, Prefetched, Reconciled, reconcile},
        relocate::leave,
        resolve::{Refresh, resolve},
        rollback,
    },
    config::{file, model::Config},
    datapath::{Datapath, Error, Writer, attached},
    net::Interface,
    observe::agent_view::Level,
};

/// How long the agent waits for a command that holds the instance's lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it tries to get the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

impl Agent {
    /// Puts the file in force, unless it is already.
    ///
    /// # Errors
    ///
    /// There is no instance, and none can be made. A refused file is not an error while an instance runs.
    pub(super) async fn start(&mut self) -> Result<()> {
        let running = Datapath::open(&self.instance);
        let result = self.read_and_reconcile(true).await;
        match (result, running) {
            (Ok(()), _) => {}
            (Err(error), Ok(_)) => {
                self.refuse(&error);
                self.adopt().await;
            }
            (Err(error), Err(Error::NotRunning(_))) => return Err(error),
            // It is of another version, for example.
            (Err(_), Err(error)) => return Err(error.into()),
        }
        self.report();
        Ok(())
    }

    /// Reads the file again. `always`: puts it in force even if it has not changed.
    pub(super) async fn reload(&mut self, always: bool) {
        if !always && self.source.read().is_ok_and(|text| text.digest == self.read) {
            return;
        }
        systemd::reloading();
        match self.read_and_reconcile(false).await {
            Ok(()) => {
                if let Ok(mut view) = self.shared.write() {
                    view.reloads += 1;
                }
            }
            Err(error) => self.refuse(&error),
        }
        self.report();
    }

    /// Reports that the file is refused, which leaves what is in force.
    fn refuse(&mut self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        self.note(Level::Error, format!("{} is not put in force: {reason}", self.source.path().display()));
        if let Ok(mut view) = self.shared.write() {
            view.reload_failures += 1;
            view.refused = Some(reason);
        }
    }

    /// `starting`: leaves the configuration alone if this file was last put in force.
    async fn read_and_reconcile(&mut self, starting: bool) -> Result<()> {
        let path = self.source.path().display().to_string();
        let text = self.source.read().map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
        self.read = text.digest;
        let have = Datapath::open(&self.instance).ok();
        let role = have.as_ref().map(Datapath::role).or(self.options.wanted.role);
        let config = file::parse_for(&text.text, role)?;
        let running = have.is_some();
        let same = starting && have.is_some_and(|have| have.source() == text.digest);
        if running && !same {
            rollback::refuse(&self.instance)?;
        }
        if same {
            self.note(Level::Info, format!("{path} is in force already; what commands changed since stays"));
        }
        let names = config.interfaces.clone();
        let config = Some(config).filter(|_| !same);
        self.reconcile(config, &names, Some(text.digest)).await?;
        if let Ok(mut view) = self.shared.write() {
            view.refused = None;
        }
        if !same {
            self.note(Level::Info, format!("{path} is in force"));
        }
        Ok(())
    }

    /// Brings the instance to a configuration (`None`: the one that it has) and to interfaces with these names.
    pub(super) async fn reconcile(
        &mut self,
        config: Option<Config>,
        names: &[String],
        source: Option<u64>,
    ) -> Result<()> {
        let (found, missing) = self.find(names).await?;
        let running = Datapath::open(&self.instance);
        if matches!(running, Err(Error::NotRunning(_))) && found.is_empty() && !missing.is_empty() {
            self.wanted = names.iter().cloned().collect();
            self.note(Level::Warning, format!("no interface exists yet; waiting for {}", missing.join(", ")));
            return Ok(());
        }
        for name in &missing {
            self.note(Level::Warning, format!("interface {name} does not exist yet; it is attached when it appears"));
        }
        let mode = self.options.mode;
        let attach = AttachOptions { mode, standby: false, replace: false, source, force: false };
        let listed = config.is_some() && !names.is_empty() && missing.is_empty();
        let reconciled = match running {
            Ok(_) => {
                let prefetched = self.prefetch(config.clone(), &found).await?;
                let Some(mut writer) = self.lock().await? else { bail!("the instance was removed meanwhile") };
                self.options.wanted.check(writer.capacities(), writer.role())?;
                let reconciled =
                    reconcile(&mut writer, &self.net, attach, config, found.clone(), Some(prefetched)).await?;
                if listed {
                    self.leave_others(&mut writer, &found).await?;
                }
                reconciled
            }
            Err(Error::NotRunning(_)) => self.make(attach, config, found).await?,
            Err(error) => return Err(error.into()),
        };
        self.reconciled(reconciled);
        // Only now, as a refused configuration changes nothing.
        self.wanted = names.iter().cloned().collect();
        self.adopt().await;
        Ok(())
    }

    async fn make(
        &mut self,
        attach: AttachOptions,
        config: Option<Config>,
        found: Vec<Interface>,
    ) -> Result<Reconciled> {
        let mut wanted = self.options.wanted;
        wanted.role = config.as_ref().map(|config| config.role).or(wanted.role);
        let mut writer = Writer::create(&self.instance, &wanted)?;
        let attach = AttachOptions { standby: self.options.standby, ..attach };
        match reconcile(&mut writer, &self.net, attach, config, found, None).await {
            Ok(reconciled) => Ok(reconciled),
            Err(error) => {
                writer.abandon()?;
                Err(error)
            }
        }
    }

    fn reconciled(&mut self, reconciled: Reconciled) {
        self.note_all(Level::Info, reconciled.lines);
        self.note_all(Level::Warning, reconciled.unresolved.into_iter().map(|server| server.line).collect());
        if let Ok(mut view) = self.shared.write() {
            view.publishes += u64::from(reconciled.published);
        }
    }

    /// The interfaces with these names, and the names without an interface.
    async fn find(&self, names: &[String]) -> Result<(Vec<Interface>, Vec<String>)> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match self.net.interface(name).await {
                Ok(interface) => found.push(interface),
                Err(crate::net::Error::NoInterface(_)) => missing.push(name.clone()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok((found, missing))
    }

    /// Resolves servers before the lock is taken, as silent ones take a second.
    async fn prefetch(&self, config: Option<Config>, found: &[Interface]) -> Result<Prefetched> {
        let datapath = Datapath::open(&self.instance)?;
        let have = datapath.snapshot();
        let mut interfaces = attached(&datapath, &self.net).await?;
        let new: Vec<_> =
            found.iter().filter(|new| interfaces.iter().all(|old| old.index != new.index)).cloned().collect();
        interfaces.extend(new);
        let want = config.unwrap_or_else(|| have.config.clone());
        let resolved = resolve(&self.net, &interfaces, want, &have, Refresh::All).await?;
        let generation = have.control.generation();
        Ok(Prefetched {
            generation,
            interfaces: interfaces.iter().map(|interface| interface.index).collect(),
            resolved,
        })
    }

    /// Detaches from interfaces that the file does not name.
    async fn leave_others(&mut self, writer: &mut Writer, named: &[Interface]) -> Result<()> {
        let all = attached(writer, &self.net).await?;
        let (stay, leaving): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|interface| named.iter().any(|named| named.index == interface.index));
        if leaving.is_empty() || stay.is_empty() {
            return Ok(());
        }
        let lines = leave(writer, &self.net, &leaving, &stay).await?;
        // So that this is not taken for a command's doing.
        self.attached.retain(|index, _| leaving.iter().all(|leaving| leaving.index != *index));
        self.note_all(Level::Info, lines);
        Ok(())
    }

    /// Takes the instance's lock, without blocking the agent's other tasks. `None`: there is no instance.
    pub(super) async fn lock(&self) -> Result<Option<Writer>> {
        let start = Instant::now();
        loop {
            match Writer::try_open(&self.instance) {
                Ok(Some(writer)) => return Ok(Some(writer)),
                Ok(None) if start.elapsed() > LOCK_TIMEOUT => {
                    return Err(Error::Locked(self.instance.clone(), LOCK_TIMEOUT.as_secs()).into());
                }
                Ok(None) => time::sleep(LOCK_INTERVAL).await,
                Err(Error::NotRunning(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
