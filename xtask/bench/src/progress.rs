//! What is going on, on stderr: one line that is written over where there is a terminal, a line for each step
//! elsewhere.

use std::io::{IsTerminal as _, Write as _};

/// Shows what is going on.
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

    /// Something begins.
    pub fn step(&mut self, what: impl Into<String>) {
        self.step = what.into();
        if self.terminal {
            self.write("");
        } else {
            eprintln!("{}", self.step);
        }
    }

    /// So much of it is done.
    pub fn done(&mut self, done: usize, of: usize) {
        if self.terminal {
            self.write(&format!(": {done} of {of}"));
        }
    }

    /// Nothing more is going on.
    pub fn finish(&mut self) {
        self.step.clear();
        if self.terminal {
            self.write("");
        }
    }

    fn write(&self, rest: &str) {
        // Back to the start of the line, and whatever stood there is erased. Progress that cannot be shown is no error.
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K{}{rest}", self.step);
        let _ = stderr.flush();
    }
}
