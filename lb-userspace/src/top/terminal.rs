//! Takes the terminal, and restores it however the program ends.
//!
//! Trap: a terminal left in raw mode is unusable. It is restored when the value is dropped, and by the panic hook that
//! ratatui sets before it takes the terminal.

use std::{
    env,
    io::{IsTerminal as _, stdin, stdout},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use ratatui::{
    DefaultTerminal,
    crossterm::{
        event::{self, Event},
        terminal::disable_raw_mode,
    },
};
use tokio::sync::mpsc::{Receiver, channel};

use super::{draw, model::Model, text::Style};
use crate::output::{end_waits_on, is_ended};

/// How often the thread that waits for keys checks whether the receiver still exists.
const LOOK: Duration = Duration::from_millis(200);

/// How long the program may take to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Checks that there is a suitable terminal.
///
/// # Errors
///
/// There is none; the message names an alternative.
pub fn check() -> Result<()> {
    const INSTEAD: &str = "`modlb stats --watch 1` prints rates without one";
    ensure!(stdin().is_terminal() && stdout().is_terminal(), "`top` needs a terminal; {INSTEAD}");
    let kind = env::var("TERM").unwrap_or_default();
    ensure!(
        !matches!(&*kind, "" | "dumb" | "unknown"),
        "`top` needs a terminal whose cursor can be moved, which TERM={kind} cannot; {INSTEAD}"
    );
    Ok(())
}

/// The screen.
pub struct Terminal {
    terminal: DefaultTerminal,
    style: Style,
}

impl Terminal {
    /// Takes the terminal.
    pub fn take(style: Style) -> Result<Self> {
        let terminal =
            ratatui::try_init().context("the terminal cannot be used; `modlb stats --watch 1` needs none")?;
        Ok(Self { terminal, style })
    }

    /// Shows the model.
    pub fn draw(&mut self, model: &mut Model) -> Result<()> {
        self.terminal.draw(|frame| draw::all(frame, model, self.style))?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a panic the hook has restored it before the message; doing it again would move the cursor above that.
        if !thread::panicking() {
            ratatui::restore();
        }
    }
}

/// Ends the program soon after a signal if it is still there: it cannot hear one while the terminal takes no output.
///
/// # Errors
///
/// Signals cannot be caught.
pub fn end_when_stuck() -> Result<()> {
    end_waits_on(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
    thread::spawn(|| {
        while !is_ended() {
            thread::sleep(LOOK);
        }
        thread::sleep(GRACE);
        let _ = disable_raw_mode();
        // SAFETY: ends the process at once, without waiting for what the other thread holds.
        unsafe { libc::_exit(1) };
    });
    Ok(())
}

/// The user's input.
pub struct Input(Receiver<Event>);

impl Input {
    /// Reads on a new thread, which ends when this value is dropped.
    pub fn start() -> Self {
        let (to, from) = channel(64);
        thread::spawn(move || {
            while !to.is_closed() {
                match event::poll(LOOK) {
                    Ok(false) => {}
                    Ok(true) => {
                        let Ok(event) = event::read() else { return };
                        if to.blocking_send(event).is_err() {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
        });
        Self(from)
    }

    /// The next event; `None` at the end of input.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}
