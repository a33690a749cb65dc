//! `modlb top`: rates in the terminal.
//!
//! ```text
//! terminal   takes and restores the screen, reads keys           model   what is shown, and what keys do (pure)
//! draw       the model → the screen (pure)                       text    bars and sparklines as text, colours (pure)
//! ```

mod draw;
mod model;
mod terminal;
mod text;

#[cfg(test)]
mod tests;

use std::{pin::pin, time::Duration};

use anyhow::Result;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use self::{
    model::{Model, Next},
    terminal::{Input, Terminal},
    text::Style,
};
use crate::observe::Reading;

/// Shows an instance, read again after each `period`, until the user quits.
///
/// # Errors
///
/// There is no instance, or no terminal.
pub async fn run(instance: &str, period: Duration) -> Result<()> {
    terminal::check()?;
    let mut model = Model::new(instance, period);
    model.take(Ok(Reading::take(instance).await?));
    let mut terminal = Terminal::take(Style::of_environment())?;
    terminal::end_when_stuck()?;
    let mut input = Input::start();
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    // One future for the whole time: a signal between two calls of `ctrl_c` would be lost.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        terminal.draw(&mut model)?;
        tokio::select! {
            _ = ticks.tick() => if !model.paused() {
                model.take(Reading::take(instance).await);
            },
            event = input.next() => match event {
                Some(event) => if model.event(&event) == Next::Quit { return Ok(()) },
                // The terminal is gone.
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            result = &mut interrupted => return Ok(result?),
        }
    }
}
