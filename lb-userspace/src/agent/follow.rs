//! Follows changes by others: interfaces that come, go and change, and commands that change the instance.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    checks::Target,
    neighbours::News,
    state::{Agent, Attachment, LastSeen},
};
use crate::{
    change::relocate::relocate,
    config::model::{Failing, Kind, Service},
    datapath::{Datapath, Snapshot, attached},
    net::{
        Interface, Neighbour,
        events::{Event, Events},
    },
    observe::agent_view::{Level, ServerKey},
};

/// How often the agent looks for changes by commands, which reads the control word and stats the pins' directory.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Agent {
    /// Takes over the instance as it is now: after a start, after a change by the agent, or when another instance has
    /// replaced it.
    pub(super) async fn adopt(&mut self) {
        self.seen = None;
        let datapath = match Datapath::open(&self.instance) {
            Ok(datapath) => datapath,
            Err(error) => {
                log::debug!("{error}");
                return;
            }
        };
        let Some(stamp) = datapath.stamp() else { return };
        let generation = datapath.generation();
        self.seen = Some(LastSeen { datapath, stamp, generation, summary: String::new() });
        self.look_at_links().await;
        self.refresh(true).await;
    }

    /// Looks for changes by commands.
    pub(super) async fn look(&mut self) {
        let Some(seen) = &mut self.seen else {
            // It also follows an instance that a command made.
            if Datapath::open(&self.instance).is_ok() {
                self.note(Level::Info, "an instance was made by a command; the agent follows it");
                self.adopt().await;
                self.report();
            }
            return;
        };
        let (before, generation) = (seen.stamp, seen.datapath.generation());
        let Some(now) = seen.datapath.stamp() else { return self.lost_instance().await };
        seen.stamp = now;
        if now.inode != before.inode {
            self.note(Level::Info, "another instance has replaced this one");
            return self.adopt().await;
        }
        if now != before {
            self.look_at_links().await;
        }
        if self.seen.as_ref().is_some_and(|seen| seen.generation != generation) {
            self.note(Level::Info, "a command changed the configuration; it stays so until the file changes");
            self.refresh(now != before).await;
            self.report();
        }
    }

    /// A command removed the instance, which is not made again before an operator asks for it.
    async fn lost_instance(&mut self) {
        self.note(
            Level::Warning,
            "the instance was removed by a command; it is made again when the file changes, or on SIGHUP",
        );
        self.seen = None;
        self.attached.clear();
        self.wanted.clear();
        self.failing.clear();
        self.checked.clear();
        self.checks.set(Vec::new());
        self.neighbours.set(&self.net, &[], &Snapshot::default(), true).await;
        self.report();
    }

    /// Reads which interfaces the instance is attached to. Those that a command attached are wanted, those that one
    /// detached are not.
    async fn look_at_links(&mut self) {
        let Some(seen) = &self.seen else { return };
        let interfaces = match attached(&seen.datapath, &self.net).await {
            Ok(interfaces) => interfaces,
            // It went in between, and an event will follow.
            Err(error) => return log::debug!("{error:#}"),
        };
        let mut before = std::mem::take(&mut self.attached);
        for interface in interfaces {
            let running = before.remove(&interface.index).and_then(|attachment| attachment.running);
            self.wanted.insert(interface.name.clone());
            self.attached.insert(interface.index, Attachment { interface, running });
        }
        for (index, Attachment { interface, .. }) in before {
            if self.net.interface_by_index(index).await.is_ok() {
                self.wanted.remove(&interface.name);
                self.note(Level::Info, format!("a command detached from {}", interface.name));
            }
        }
    }

    /// Updates everything that depends on what is in force. `reroute`: routes to servers may have changed.
    pub(super) async fn refresh(&mut self, reroute: bool) {
        let Some(seen) = &mut self.seen else { return };
        let snapshot = seen.datapath.snapshot();
        seen.generation = snapshot.control.generation();
        seen.summary = status(&snapshot);
        let interfaces: Vec<_> = self.attached.values().map(|attachment| attachment.interface.clone()).collect();
        self.neighbours.set(&self.net, &interfaces, &snapshot, reroute).await;
        self.check(&snapshot);
        if let Ok(mut view) = self.shared.write() {
            view.neighbours = self.neighbours.len();
        }
        if self.neighbours.differs(&snapshot) {
            self.publish_soon();
        }
    }

    /// Checks the servers in force. Results of this agent's checks count; before the first one, the recorded ones do.
    fn check(&mut self, snapshot: &Snapshot) {
        let mut targets = Vec::new();
        let mut failing = std::collections::HashMap::new();
        let mut differs = false;
        for service in &snapshot.config.services {
            let Some((check, port)) = check_of(service) else { continue };
            for server in &service.servers {
                let key: ServerKey = (service.name.clone(), server.address);
                let recorded = server.health.failing;
                let known = self.failing.get(&key).copied();
                let now = if self.is_checked(&key) { known } else { known.or(recorded) };
                differs |= now.is_some() != recorded.is_some();
                failing.extend(now.map(|failing| (key.clone(), failing)));
                let failing_since = now.map(|Failing { since, .. }| since);
                targets.push(Target { key, check: Arc::clone(&check), port, failing_since });
            }
        }
        self.failing = failing;
        self.checked = targets.iter().map(|target| target.key.clone()).collect();
        self.checks.set(targets);
        if differs {
            self.publish_soon();
        }
    }

    fn is_checked(&self, key: &ServerKey) -> bool {
        self.checked.contains(key)
    }

    /// Handles an event of the kernel.
    pub(super) async fn event(&mut self, event: Event) {
        match event {
            Event::Link { interface, running } => self.link(interface, running).await,
            Event::LinkGone(index) => self.link_gone(index).await,
            Event::Neighbour(found) => {
                let news = self.neighbours.event(&found);
                self.neighbour(&found, &news);
            }
            Event::NeighbourGone(found) => {
                let news = self.neighbours.gone(&self.net, &found).await;
                self.neighbour(&found, &news);
            }
            Event::Missed => self.look_around().await,
        }
    }

    fn neighbour(&mut self, found: &Neighbour, news: &News) {
        if *news == News::None {
            return;
        }
        if let Ok(mut view) = self.shared.write() {
            view.neighbour_events += 1;
        }
        match news {
            News::Mac => self.publish_soon(),
            News::Silent => {
                let on = self.attached.get(&found.interface);
                let on = on.map_or_else(|| found.interface.to_string(), |there| there.interface.name.clone());
                self.note(
                    Level::Warning,
                    format!("{} does not answer on {on}; the MAC that it had, if any, stays", found.address),
                );
            }
            News::None | News::Known | News::Forgotten => {}
        }
    }

    async fn link(&mut self, interface: Interface, running: bool) {
        let Some(attachment) = self.attached.get_mut(&interface.index) else {
            if self.wanted.contains(&interface.name) {
                self.attach_again().await;
            }
            return;
        };
        let before = std::mem::replace(attachment, Attachment { interface: interface.clone(), running: Some(running) });
        let name = &interface.name;
        if before.interface.name != *name {
            self.wanted.remove(&before.interface.name);
            self.wanted.insert(name.clone());
            self.note(
                Level::Info,
                format!("{} was renamed to {name}; the instance stays attached", before.interface.name),
            );
        }
        match (before.running, running) {
            (Some(true) | None, false) => self.note(Level::Warning, format!("{name} is down: nothing arrives there")),
            (Some(false), true) => {
                self.note(Level::Info, format!("{name} is up"));
                // Its routes are back, and the kernel has dropped its neighbours.
                self.refresh(true).await;
                self.look_around().await;
            }
            (Some(true) | None, true) | (Some(false), false) => {}
        }
        if before.interface.mac != interface.mac
            && let Err(error) = self.update_mac(&interface).await
        {
            self.note(Level::Error, format!("{name} has a new MAC, but the program still has the old one: {error:#}"));
        }
    }

    /// Replaces the interface's program, which has its MAC as a constant, and publishes the MAC for servers behind it.
    async fn update_mac(&mut self, interface: &Interface) -> Result<()> {
        let Some(mut writer) = self.lock().await? else { return Ok(()) };
        let group = writer.snapshot().config.group;
        writer.replace(interface, &group)?;
        let interfaces = attached(&writer, &self.net).await?;
        relocate(&mut writer, &self.net, &interfaces).await?;
        self.note(Level::Info, format!("{} has a new MAC; its program was replaced", interface.name));
        Ok(())
    }

    async fn link_gone(&mut self, index: u32) {
        let Some(Attachment { interface, .. }) = self.attached.remove(&index) else { return };
        self.note(Level::Warning, format!("{} is gone; it is attached again when it comes back", interface.name));
        let detached = match self.lock().await {
            Ok(Some(writer)) => writer.detach_gone().map_err(Into::into),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = detached {
            self.note(Level::Error, format!("removing what is left of {}: {error:#}", interface.name));
        }
        self.report();
    }

    /// Attaches to wanted interfaces that have appeared.
    async fn attach_again(&mut self) {
        let names: Vec<_> = self.wanted.iter().cloned().collect();
        // Without an instance, the file says what to make.
        let result = match &self.seen {
            Some(_) => self.reconcile(None, &names, None).await,
            None => return self.reload(true).await,
        };
        if let Err(error) = result {
            self.note(Level::Error, format!("cannot attach to {}: {error:#}", self.missing().join(", ")));
        }
        self.report();
    }

    /// Looks for changes that events may have missed.
    pub(super) async fn look_around(&mut self) {
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

    /// Opens the events again. They end if the kernel sends a message that is not understood.
    pub(super) async fn listen_again(&mut self, events: &mut Events) {
        log::warn!("the kernel's events ended; listening again");
        // So that a failure at once, each time, does not keep the agent busy.
        tokio::time::sleep(POLL_INTERVAL).await;
        match Events::open() {
            Ok(new) => *events = new,
            Err(error) => self.note(Level::Error, error.to_string()),
        }
        self.look_around().await;
    }
}

/// A service's check and its port.
fn check_of(service: &Service) -> Option<(Arc<crate::config::model::Check>, u16)> {
    let check = service.check.as_ref()?;
    let port = if check.kind == Kind::Icmp { 0 } else { check.port.or(service.port)? };
    Some((Arc::new(check.clone()), port))
}

/// A summary such as "2 services, 7 servers: 5 take flows, 1 failing, 1 unresolved".
fn status(snapshot: &Snapshot) -> String {
    let standings = || snapshot.config.services.iter().flat_map(Service::standings);
    let flows = standings().filter(|standing| standing.takes_flows()).count();
    let mut text = format!("{}: {flows} take flows", snapshot.config.summary());
    for name in ["down", "failing", "unresolved"] {
        let count = standings().filter(|standing| standing.name() == name).count();
        if count > 0 {
            text += &format!(", {count} {name}");
        }
    }
    text
}
