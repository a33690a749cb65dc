//! Progress on stderr: in a terminal one line that is overwritten, elsewhere a line for each step.

use std::io::{IsTerminal as _, Write as _};

/// Shows progress.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    step: String,
}

impl Progress {
    /// On stderr.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), step: String::new() }
    }

    /// A step begins.
    pub fn step(&mut self, what: impl Into<String>) {
        self.step = what.into();
        if self.terminal {
            self.write("");
        } else {
            eprintln!("{}", self.step);
        }
    }

    /// This much of the step is done.
    pub fn done(&mut self, done: usize, of: usize) {
        if self.terminal {
            self.write(&format!(": {done} of {of}"));
        }
    }

    /// All steps are done.
    pub fn finish(&mut self) {
        self.step.clear();
        if self.terminal {
            self.write("");
        }
    }

    fn write(&self, rest: &str) {
        // Returns to the start of the line and erases it. It is no error if progress cannot be shown.
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K{}{rest}", self.step);
        let _ = stderr.flush();
    }
}
