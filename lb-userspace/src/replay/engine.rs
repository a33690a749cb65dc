//! A frame → the server that takes it, by one of two ways that must agree.

use lb_common::{outcome::Outcome, table::Counter};

use super::error::Error;
use crate::decide::judge::Tuple;

/// The server that takes a frame, by the places of service and server in the configuration.
pub type Taken = Option<(usize, usize)>;

/// A counter for each outcome, in the order of [`Outcome::ALL`]. What is `local` counts as `forwarded` here.
pub type Outcomes = [Counter; Outcome::COUNT as usize];

/// A configuration in force.
pub trait Engine {
    /// Who takes the frame, whose tuple (or why it has none) is known already.
    ///
    /// # Errors
    ///
    /// The datapath cannot be tried on it.
    fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error>;

    /// What was counted for each outcome.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not what was seen.
    fn outcomes(&self) -> Result<Outcomes, Error>;

    /// What the loaded program judged itself.
    fn judged_by_kernel(&self) -> Counter;
}
