//! Publishes findings about servers: MACs and health.
//!
//! It changes the configuration that is in force at the time, so that it undoes nothing that another command did.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::{
    checks::Verdict,
    lock::{LOCK_INTERVAL, is_busy},
    state::Agent,
};
use crate::{
    change::{
        by_hand,
        fit::{Fitted, fit},
    },
    config::{
        model::{Config, Failing, Failure, count, health},
        standing::Standing,
    },
    datapath::{Placed, Snapshot, attached},
    observe::agent_view::{Level, ServerKey},
};

/// Changes within this time are published together.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// The pause after a publication, as a multiple of the time that it took.
const PAUSE_FACTOR: u32 = 3;

/// How soon a failed publication is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

impl Agent {
    /// Takes a verdict of a check.
    pub(super) fn take_verdict(&mut self, Verdict { key, failure }: Verdict) {
        match failure {
            Some(why) => self.failing.insert(key, Failing { since: health::now(), why }),
            None => self.failing.remove(&key),
        };
        self.publish_soon();
    }

    /// Publishes after a pause, which is short unless publishing takes long.
    pub(super) fn publish_soon(&mut self) {
        let pause = BATCH_INTERVAL.max(self.published_in * PAUSE_FACTOR);
        self.publish_at.get_or_insert_with(|| Instant::now() + pause.min(RETRY_INTERVAL));
    }

    /// Publishes findings that are not in force yet.
    pub(super) async fn publish(&mut self) {
        self.publish_at = None;
        match self.try_publish().await {
            Ok(true) => {
                if let Ok(mut view) = self.shared.write() {
                    view.publishes += 1;
                }
                self.refresh(false).await;
                self.report();
            }
            Ok(false) => {}
            Err(error) if is_busy(&error) => self.publish_at = Some(Instant::now() + LOCK_INTERVAL),
            Err(error) => {
                self.note(Level::Error, format!("cannot publish servers' MACs and health: {error:#}"));
                self.publish_at = Some(Instant::now() + RETRY_INTERVAL);
            }
        }
    }

    async fn try_publish(&mut self) -> Result<bool> {
        let Some(mut writer) = self.lock()? else { return Ok(false) };
        let start = Instant::now();
        let have = writer.snapshot();
        let (mut config, mut locations) = (have.config.clone(), have.locations.clone());
        self.enter_failing(&mut config);
        by_hand::release(&mut config, health::now());
        let interfaces = attached(&writer, &self.net).await?;
        let own = self.net.own_macs().await?;
        self.neighbours.enter(&self.net, &interfaces, &own, &mut config, &mut locations);
        if config == have.config && have.record.left_out == 0 {
            self.leave_out(Vec::new());
            return Ok(false);
        }
        let want = Placed::on(&self.net, config, locations).await?;
        let Fitted { placed, left_out } = fit(&writer, &have, want)?;
        let number = left_out.len();
        self.leave_out(left_out);
        if placed.config == have.config && have.record.left_out as usize == number {
            return Ok(false);
        }
        let lines = changes(&have, &placed.config);
        let prepared = writer.prepare(&placed)?.leaving_out(number);
        writer.publish(&prepared)?;
        let coarser = prepared.coarser();
        drop(writer);
        self.published_in = start.elapsed();
        let (good, bad): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(good, _)| *good);
        self.note_all(Level::Warning, bad.into_iter().map(|(_, line)| line).collect());
        self.note_all(Level::Info, good.into_iter().map(|(_, line)| line).collect());
        self.note_all(Level::Warning, coarser.into_iter().collect());
        Ok(true)
    }

    /// Reports findings for which there is no room, if others than before, and looks again later.
    fn leave_out(&mut self, servers: Vec<ServerKey>) {
        if !servers.is_empty() {
            self.publish_at = Some(Instant::now() + RETRY_INTERVAL);
        }
        if servers == self.left_out {
            return;
        }
        if servers.is_empty() {
            self.note(Level::Info, "there is room for every finding again");
        } else {
            self.note(Level::Error, format!(
                "no room for the slot tables that the state of {} takes; it is tried again. For more room, let another \
                 balancer take over, detach, and attach with a larger `--max-slots`",
                count(servers.len(), "server")
            ));
            let lines =
                servers.iter().map(|(service, server)| format!("{service} {server}: its state is not in force"));
            self.note_all(Level::Error, lines.collect());
        }
        self.left_out = servers;
    }

    /// Enters failing checks into a configuration.
    fn enter_failing(&self, config: &mut Config) {
        for service in config.services.iter_mut().filter(|service| service.check.is_some()) {
            for server in &mut service.servers {
                let now = self.failing.get(&(service.name.clone(), server.address)).copied();
                let before = server.health.failing;
                // While it fails, time and reason stay those of the first failure.
                let unchecked = before.is_some_and(|failing| failing.why == Failure::NotChecked);
                if now.is_some() != before.is_some() || (unchecked && now != before) {
                    server.health.failing = now;
                }
            }
        }
    }
}

/// A line for each change of a server or a peer, and whether it is for the better.
fn changes(have: &Snapshot, config: &Config) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    for (before, after) in have.config.peers.iter().zip(&config.peers) {
        if let Some(mac) = after.mac.get().filter(|mac| before.mac.get() != Some(*mac)) {
            lines.push((true, format!("peer {}: found at {mac}", after.address)));
        }
    }
    for (before, after) in have.config.services.iter().zip(&config.services) {
        let standings = before.standings().zip(after.standings());
        for ((was, is), (before, server)) in standings.zip(before.servers.iter().zip(&after.servers)) {
            let name = format!("{} {}", after.name, server.address);
            if let (Some(from), Some(to)) = (before.mac.get(), server.mac.get())
                && from != to
            {
                lines.push((true, format!("{name}: its MAC is {to} now, it was {from}")));
            } else if let (None, Some(to)) = (before.mac.get(), server.mac.get()) {
                lines.push((true, format!("{name}: found at {to}")));
            }
            if was != is {
                let reason = is.reason(|index| format!("interface {index}"));
                let change = match (is.name(), was.name(), reason) {
                    (is, was, Some(reason)) if is == was => format!("{name}: {is}: {reason}"),
                    (is, was, Some(reason)) => format!("{name}: {is}, was {was}: {reason}"),
                    (is, was, None) => format!("{name}: {is}, was {was}"),
                };
                lines.push((is == Standing::Up, change));
            }
        }
    }
    lines
}
