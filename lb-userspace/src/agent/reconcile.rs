//! Brings the instance to what the file says. The steps are those of `attach`, `apply` and `detach`.

use anyhow::{Result, bail};

use super::{lock::Locked, state::Agent};
use crate::{
    change::{
        by_hand,
        reconcile::{AttachOptions, Prefetched, Reconciled, reconcile},
        relocate::leave,
        resolve::{Egress, Form, Refresh, resolve},
    },
    config::model::{Config, health},
    datapath::{Datapath, Error, Need, attached},
    net::Interface,
    observe::agent_view::Level,
};

impl Agent {
    /// Brings the instance to a configuration and to interfaces with these names; without one it keeps its own, and its
    /// interfaces too. Returns the names that it waits for, if there is no instance and none of them exists yet.
    pub(super) async fn reconcile(
        &mut self,
        config: Option<Config>,
        names: &[String],
        source: Option<u64>,
    ) -> Result<Option<Vec<String>>> {
        let (found, missing) = self.find(names).await?;
        let running = Datapath::open(&self.instance);
        let gone = "the instance was removed meanwhile";
        if matches!(running, Err(Error::NotRunning(_))) && config.is_none() {
            bail!(gone);
        }
        if matches!(running, Err(Error::NotRunning(_))) && found.is_empty() && !missing.is_empty() {
            self.wanted = names.iter().cloned().collect();
            return Ok(Some(missing));
        }
        let (mode, interrupt) = (self.options.mode, self.stop.interrupt());
        let attach = AttachOptions { mode, standby: false, replace: false, source, force: false, interrupt };
        let has_config = config.is_some();
        let listed = has_config && !names.is_empty() && missing.is_empty();
        let reconciled = match running {
            Ok(_) => {
                // Before servers are asked, as that takes long.
                drop(self.lock_soon().await?);
                let prefetched = self.prefetch(config.clone(), &found).await?;
                let Some(mut writer) = self.lock_soon().await? else { bail!(gone) };
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
        let known = self.missing();
        for name in missing.iter().filter(|name| !known.contains(name)) {
            self.note(Level::Warning, format!("interface {name} does not exist yet; it is attached when it appears"));
        }
        // Only now, as a refused configuration changes nothing.
        if has_config {
            self.wanted.clear();
        }
        self.wanted.extend(names.iter().cloned());
        self.adopt().await;
        Ok(None)
    }

    async fn make(
        &mut self,
        attach: AttachOptions,
        config: Option<Config>,
        found: Vec<Interface>,
    ) -> Result<Reconciled> {
        let mut wanted = self.options.wanted;
        wanted.role = config.as_ref().map(|config| config.role).or(wanted.role);
        wanted.need = config.as_ref().map(Need::of).unwrap_or_default();
        let mut writer = self.create_soon(&wanted).await?;
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
        self.note_all(Level::Warning, reconciled.shortages);
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
        let want = match config {
            Some(mut file) => {
                by_hand::keep(&have.config, &mut file, health::now());
                file
            }
            None => have.config.clone(),
        };
        let egress = Egress::new(&self.net, &interfaces, Form::Shortest);
        let resolved = resolve(&self.net, &egress, want, &have, Refresh::All).await?;
        let generation = have.control.generation();
        Ok(Prefetched {
            generation,
            interfaces: interfaces.iter().map(|interface| interface.index).collect(),
            resolved,
        })
    }

    /// Detaches from interfaces that the file does not name.
    async fn leave_others(&mut self, writer: &mut Locked, named: &[Interface]) -> Result<()> {
        let all = attached(writer, &self.net).await?;
        let (stay, leaving): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|interface| named.iter().any(|named| named.index == interface.index));
        if leaving.is_empty() || stay.is_empty() {
            return Ok(());
        }
        let lines = leave(writer, &self.net, &leaving, &stay, self.stop.interrupt()).await?;
        // So that this is not taken for a command's doing.
        self.attached.retain(|index, _| leaving.iter().all(|leaving| leaving.index != *index));
        self.note_all(Level::Info, lines);
        Ok(())
    }
}
