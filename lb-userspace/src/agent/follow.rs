//! Follows changes by others: interfaces that come, go and change, and commands that change the instance.

use std::{sync::Arc, time::Duration};

use super::{
    checks::Target,
    decision::Why,
    lock::is_busy,
    memory::give_back,
    neighbours::News,
    state::{Agent, Attachment, LastSeen},
};
use crate::{
    change::by_hand,
    config::model::{Kind, Service, health},
    datapath::{Datapath, Snapshot},
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
        let watch = datapath.watch();
        let Some(stamp) = watch.stamp() else { return };
        let generation = watch.generation();
        self.seen = Some(LastSeen { watch, stamp, generation, summary: String::new(), next_return: None });
        self.look_at_links().await;
        self.refresh(true).await;
    }

    /// Looks for changes by commands.
    pub(super) async fn look(&mut self) {
        self.look_at_unconfirmed().await;
        let Some(seen) = &mut self.seen else {
            // It also follows an instance that a command made.
            if Datapath::open(&self.instance).is_ok() {
                self.note(Level::Info, "an instance was made by a command; the agent follows it");
                self.adopt().await;
                self.report();
            }
            return;
        };
        let (before, generation) = (seen.stamp, seen.watch.generation());
        let Some(now) = seen.watch.stamp() else { return self.lost_instance().await };
        seen.stamp = now;
        if now.inode != before.inode {
            self.note(Level::Info, "another instance has replaced this one");
            return self.adopt().await;
        }
        if now != before {
            self.follow_links().await;
        }
        if self.seen.as_ref().and_then(|seen| seen.next_return).is_some_and(|at| at <= health::now()) {
            self.publish_soon();
        }
        let seen = |agent: &Self| agent.seen.as_ref().map_or(generation, |seen| seen.generation);
        let known = seen(self);
        if known != generation {
            self.refresh(now != before).await;
            // Else it could not be read, and is looked at again.
            if known != seen(self) {
                self.note(Level::Info, "a command changed the configuration; it stays so until the file changes");
                self.report();
            }
        }
    }

    /// A command removed the instance, which is not made again before an operator asks for it.
    async fn lost_instance(&mut self) {
        self.note(
            Level::Warning,
            "the instance was removed by a command; it is made again when the file changes, or on SIGHUP",
        );
        self.seen = None;
        self.file.settle();
        self.attached.clear();
        self.wanted.clear();
        self.failing.clear();
        self.checked.clear();
        self.checks.set(Vec::new());
        self.neighbours.set(&self.net, &[], &Snapshot::default(), true).await;
        self.report();
    }

    /// Looks for interfaces that commands attached or detached.
    pub(super) async fn follow_links(&mut self) {
        let known: Vec<_> = self.attached.keys().copied().collect();
        self.look_at_links().await;
        for (_, new) in self.attached.iter().filter(|(index, _)| !known.contains(index)) {
            self.note(Level::Info, format!("a command attached to {}", new.interface.name));
        }
    }

    /// Reads which interfaces the instance is attached to. Those that a command attached are wanted, those that one
    /// detached are not.
    pub(super) async fn look_at_links(&mut self) {
        let Some(seen) = &self.seen else { return };
        let ports = match seen.ports(&self.net).await {
            Ok(ports) => ports,
            // It went in between, and an event will follow.
            Err(error) => return log::debug!("{error:#}"),
        };
        let mut before = std::mem::take(&mut self.attached);
        for port in &ports {
            let known = before.remove(&port.index);
            // One that has lost its program stays known: a command may be about to remove its record, and only then is
            // it no longer wanted.
            let interface = if known.is_some() { port.here() } else { port.attached() };
            let Some(interface) = interface.cloned() else { continue };
            // This may come before the event.
            if let Some(known) = &known {
                self.renamed(&known.interface.name, &interface.name);
            }
            let running = known.and_then(|attachment| attachment.running);
            self.wanted.insert(interface.name.clone());
            self.attached.insert(port.index, Attachment { interface, running });
        }
        for (index, Attachment { interface, .. }) in before {
            if self.net.interface_by_index(index).await.is_ok_and(|found| found.name == interface.name) {
                self.wanted.remove(&interface.name);
                self.note(Level::Info, format!("a command detached from {}", interface.name));
            }
        }
    }

    /// Updates everything that depends on what is in force. `reroute`: routes to servers may have changed.
    pub(super) async fn refresh(&mut self, reroute: bool) {
        let Some(seen) = &mut self.seen else { return };
        let snapshot = match seen.watch.open() {
            Ok(datapath) => datapath.snapshot(),
            // It went in between, which `look` notices.
            Err(error) => return log::debug!("{error}"),
        };
        seen.generation = snapshot.control.generation();
        seen.summary = status(&snapshot);
        seen.next_return = by_hand::next_return(&snapshot.config);
        let interfaces: Vec<_> = self.attached.values().map(|attachment| attachment.interface.clone()).collect();
        self.neighbours.set(&self.net, &interfaces, &snapshot, reroute).await;
        self.check(&snapshot);
        if let Ok(mut view) = self.shared.write() {
            view.neighbours = self.neighbours.len();
        }
        if self.neighbours.differs(&snapshot) {
            self.publish_soon();
        }
        drop(snapshot);
        give_back();
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
                targets.push(Target { key, check: Arc::clone(&check), port, failing: now });
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
            Event::Link(interface) => self.link(interface).await,
            Event::LinkGone(index) => self.link_gone(index).await,
            Event::Neighbour(found) => {
                let news = self.neighbours.event(&found);
                self.neighbour(&found, &news);
            }
            Event::NeighbourGone(found) => {
                let news = self.neighbours.gone(&self.net, &found).await;
                self.neighbour(&found, &news);
            }
            Event::Address | Event::Route => self.inspect_soon(),
            Event::Missed => self.inspect().await,
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

    async fn link(&mut self, interface: Interface) {
        let Some(attachment) = self.attached.get_mut(&interface.index) else {
            if self.wanted.contains(&interface.name) {
                self.attach_again().await;
            }
            return;
        };
        let running = interface.running;
        let before = std::mem::replace(attachment, Attachment { interface: interface.clone(), running: Some(running) });
        let name = &interface.name;
        self.renamed(&before.interface.name, name);
        match (before.running, running) {
            (Some(true) | None, false) => self.note(Level::Warning, format!("{name} is down: nothing arrives there")),
            (Some(false), true) => self.note(Level::Info, format!("{name} is up")),
            (Some(true) | None, true) | (Some(false), false) => {}
        }
        self.inspect_soon();
    }

    /// An interface that the instance is attached to may have another name than before.
    fn renamed(&mut self, from: &str, to: &str) {
        if from != to {
            self.wanted.remove(from);
            self.wanted.insert(to.to_owned());
            self.note(Level::Info, format!("{from} was renamed to {to}; the instance stays attached"));
        }
    }

    async fn link_gone(&mut self, index: u32) {
        let Some(Attachment { interface, .. }) = self.attached.remove(&index) else { return };
        self.note(Level::Warning, format!("{} is gone; it is attached again when it comes back", interface.name));
        self.inspect().await;
        self.report();
    }

    /// Attaches to wanted interfaces that have appeared.
    pub(super) async fn attach_again(&mut self) {
        // Only those that are missing: a command may just have detached from another one.
        let result = match &self.seen {
            Some(_) => self.reconcile(None, &self.missing(), None).await,
            // Without an instance, the file says what to make.
            None => return self.reload(Why::Again).await,
        };
        if result.as_ref().is_err_and(is_busy) {
            self.inspect_soon();
            return;
        }
        let problem = result.err().map(|error| format!("cannot attach to {}: {error:#}", self.missing().join(", ")));
        if let Some(problem) = problem.as_ref().filter(|problem| self.not_attached.as_ref() != Some(problem)) {
            self.note(Level::Error, problem.clone());
        }
        self.not_attached = problem;
        self.report();
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
        self.inspect().await;
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
    let of = |service: &Service| -> Vec<_> {
        let servers = service.servers.iter().zip(service.standings());
        servers.filter(|(server, _)| !server.is_former()).map(|(_, standing)| standing).collect()
    };
    let standings = || snapshot.config.services.iter().flat_map(of);
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
