//! The steps of a change, each of which can be undone.
//!
//! Whatever brings an instance to another state does so in steps, in an order in which the state after each of them is
//! right: packets reach a server of their service by the link on which it is. So a command that is killed between two
//! steps leaves nothing wrong behind, and one that fails or is interrupted undoes the steps that it has made.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use tokio::sync::watch;

use crate::{
    config::model::Group,
    datapath::{Mode, Placed, Writer},
    net::Interface,
};

/// How a step is undone.
#[derive(Debug)]
enum Undo {
    /// Detach from an interface.
    Detach(Interface),
    /// Publish this again.
    Publish(Box<Placed>),
}

/// The steps made so far.
#[derive(Debug)]
pub struct Steps {
    done: Vec<Undo>,
    interrupt: Interrupt,
}

/// Whether the operator has interrupted the command, or ends the agent.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// Set by Ctrl-C from now on.
    pub fn on_ctrl_c() -> Self {
        let interrupt = Self::default();
        let set = interrupt.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                set.set();
            }
        });
        interrupt
    }

    /// Interrupts.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is set.
    pub async fn wait(&self) {
        // The sender lives as long as this does, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|set| *set).await;
    }

    /// Fails if the command was interrupted.
    ///
    /// # Errors
    ///
    /// It was.
    pub async fn check(&self) -> Result<()> {
        // Lets the task that waits for the signal run.
        tokio::task::yield_now().await;
        if self.is_set() { Err(interrupted()) } else { Ok(()) }
    }

    /// Waits for something that changes nothing, such as answers of servers.
    ///
    /// # Errors
    ///
    /// The command was interrupted meanwhile.
    pub async fn or<T>(&self, waiting: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.wait() => Err(interrupted()),
            result = waiting => Ok(result),
        }
    }
}

fn interrupted() -> anyhow::Error {
    anyhow!("interrupted; everything is as it was")
}

impl Steps {
    /// None yet.
    pub const fn new(interrupt: Interrupt) -> Self {
        Self { done: Vec::new(), interrupt }
    }

    /// Publishes a configuration. `before` is what was in force.
    ///
    /// # Errors
    ///
    /// It does not fit, or the command was interrupted.
    pub async fn publish(&mut self, writer: &mut Writer, placed: &Placed, before: Placed) -> Result<()> {
        self.publish_from(writer, placed, before, None).await.map(drop)
    }

    /// The same with the digest of the file that the configuration came from; `None`: the recorded one stays. Returns a
    /// line if tables are coarser than usual.
    ///
    /// # Errors
    ///
    /// As for [`Steps::publish`].
    pub async fn publish_from(
        &mut self,
        writer: &mut Writer,
        placed: &Placed,
        before: Placed,
        source: Option<u64>,
    ) -> Result<Option<String>> {
        let prepared = writer.prepare(placed)?.from_source(source);
        writer.publish(&prepared)?;
        self.done.push(Undo::Publish(Box::new(before)));
        self.interrupt.check().await?;
        Ok(prepared.coarser())
    }

    /// Attaches to an interface.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the command was interrupted.
    pub async fn attach(
        &mut self,
        writer: &mut Writer,
        interface: &Interface,
        mode: Mode,
        group: &Group,
    ) -> Result<()> {
        // Before a half names it, else packets would be dropped.
        writer.enter_devices(std::slice::from_ref(interface))?;
        self.done.push(Undo::Detach(interface.clone()));
        let attached = writer.attach(interface, mode, group)?;
        writer.pin(attached)?;
        self.interrupt.check().await
    }

    /// Undoes the steps, the last one first. Failures are logged: what is left is right as it is.
    pub fn undo(self, writer: &mut Writer) {
        for step in self.done.into_iter().rev() {
            let undone = match &step {
                Undo::Detach(interface) => writer.detach(interface.index),
                Undo::Publish(before) => writer.prepare(before).and_then(|prepared| writer.publish(&prepared)),
            };
            if let Err(error) = undone {
                log::warn!("a step of the command cannot be undone: {error}");
            }
        }
    }
}
