//! The file → the instance, at the start, on SIGHUP, and when the file changes: the same plan and the same steps as
//! those of `attach`, `apply` and `detach`.
//!
//! What commands changed by hand stays until the file says something new. So an agent that is started again looks
//! whether the file is the one that was put in force last; if it is, it leaves the configuration as it is.

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

/// How long the agent waits for a command that changes the same instance.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it tries.
const TRY: Duration = Duration::from_millis(20);

impl Agent {
    /// Brings the instance to what the file says, unless it is there already.
    ///
    /// # Errors
    ///
    /// There is no instance, and none can be made. A file that is refused while an instance runs is no error.
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
            // Such as one of another version: nothing to be done here.
            (Err(_), Err(error)) => return Err(error.into()),
        }
        self.report();
        Ok(())
    }

    /// Reads the file again. `told`: somebody asked for it, so that it counts even if it says nothing new.
    pub(super) async fn reload(&mut self, told: bool) {
        if !told && self.source.read().is_ok_and(|text| text.digest == self.read) {
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

    /// The file, or what it asks for, is refused: what is in force stays.
    fn refuse(&mut self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        self.note(Level::Error, format!("{} is not put in force: {reason}", self.source.path().display()));
        if let Ok(mut view) = self.shared.write() {
            view.reload_failures += 1;
            view.refused = Some(reason);
        }
    }

    /// `starting`: leave the configuration alone if the file was put in force before.
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
            self.note(
                Level::Warning,
                format!("waiting for {}, as none of the interfaces is there", missing.join(", ")),
            );
            return Ok(());
        }
        for name in &missing {
            self.note(Level::Warning, format!("there is no interface {name} yet; it is attached to when it comes"));
        }
        let mode = self.options.mode;
        let attach = AttachOptions { mode, standby: false, replace: false, source, force: false };
        let listed = config.is_some() && !names.is_empty() && missing.is_empty();
        let reconciled = match running {
            Ok(_) => {
                let prefetched = self.prefetch(config.clone(), &found).await?;
                let Some(mut writer) = self.lock().await? else { bail!("the instance went meanwhile") };
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
        // Not before: what is refused changes nothing.
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

    /// The interfaces with these names, and the names that none has.
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

    /// Looks for the servers before the lock is taken, for those that do not answer take a second.
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

    /// Leaves the interfaces that the file does not name.
    async fn leave_others(&mut self, writer: &mut Writer, named: &[Interface]) -> Result<()> {
        let all = attached(writer, &self.net).await?;
        let (stay, leaving): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|interface| named.iter().any(|named| named.index == interface.index));
        if leaving.is_empty() || stay.is_empty() {
            return Ok(());
        }
        let lines = leave(writer, &self.net, &leaving, &stay).await?;
        // That is known here, and no command's doing.
        self.attached.retain(|index, _| leaving.iter().all(|leaving| leaving.index != *index));
        self.note_all(Level::Info, lines);
        Ok(())
    }

    /// Takes the instance's lock, without keeping everything else from going on meanwhile. `None`: there is no
    /// instance.
    pub(super) async fn lock(&self) -> Result<Option<Writer>> {
        let start = Instant::now();
        loop {
            match Writer::try_open(&self.instance) {
                Ok(Some(writer)) => return Ok(Some(writer)),
                Ok(None) if start.elapsed() > PATIENCE => {
                    return Err(Error::Locked(self.instance.clone(), PATIENCE.as_secs()).into());
                }
                Ok(None) => time::sleep(TRY).await,
                Err(Error::NotRunning(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
