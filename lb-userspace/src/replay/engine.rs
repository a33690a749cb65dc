//! A frame → the server that takes it, by one of two ways that must agree.

use lb_common::{mac::Mac, outcome::Outcome, table::Counter};

use super::{Error, Method, host::Host, kernel::Kernel};
use crate::{
    datapath::{Placed, trial::Laboratory},
    judge::Tuple,
};

/// The server that takes a frame, by the places of service and server in the configuration.
pub type Taken = Option<(usize, usize)>;

/// A counter for each outcome, in the order of [`Outcome::ALL`]. What is `local` counts as `forwarded` here.
pub type Outcomes = [Counter; Outcome::COUNT as usize];

/// A configuration in force.
pub enum Engine<'a> {
    /// In the loaded program.
    Kernel(Kernel<'a>),
    /// In this process.
    Host(Host<'a>),
}

/// An engine for each configuration.
pub fn start(method: Method, placed: &[Placed], mac: Mac) -> Result<Vec<Engine<'_>>, Error> {
    match method {
        Method::Host => Ok(placed.iter().map(|placed| Engine::Host(Host::new(placed))).collect()),
        Method::Kernel => {
            let mut laboratory = Laboratory::enter()?;
            placed
                .iter()
                .map(|placed| Ok(Engine::Kernel(Kernel::new(laboratory.start(placed, mac)?, placed))))
                .collect()
        }
    }
}

impl Engine<'_> {
    /// Who takes the frame, whose tuple (or why it has none) is known already.
    pub fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error> {
        match self {
            Self::Kernel(kernel) => kernel.run(frame, parsed),
            Self::Host(host) => Ok(host.run(frame, parsed)),
        }
    }

    /// What was counted for each outcome.
    pub fn outcomes(&self) -> Result<Outcomes, Error> {
        match self {
            Self::Kernel(kernel) => kernel.outcomes(),
            Self::Host(host) => Ok(host.outcomes()),
        }
    }

    /// What the loaded program judged itself.
    pub fn judged_by_kernel(&self) -> Counter {
        match self {
            Self::Kernel(kernel) => kernel.judged(),
            Self::Host(_) => Counter::default(),
        }
    }
}
