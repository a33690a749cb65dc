//! A frame → the server that takes it, by one of two engines that must agree.

use lb_common::{outcome::Outcome, table::Counter};

use super::error::Error;
use crate::decide::judge::Tuple;

/// The server that takes a frame: the indices of service and server in the configuration.
pub type Taken = Option<(usize, usize)>;

/// A counter for each outcome, in the order of [`Outcome::ALL`]. `local` counts as `forwarded` here.
pub type Outcomes = [Counter; Outcome::COUNT as usize];

/// A configuration in force.
pub trait Engine {
    /// The server that takes the frame. `parsed`: the frame's tuple, or why it has none.
    ///
    /// # Errors
    ///
    /// The datapath cannot be run on it.
    fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error>;

    /// The counters of the outcomes.
    ///
    /// # Errors
    ///
    /// They cannot be read, or do not match what was seen.
    fn outcomes(&self) -> Result<Outcomes, Error>;

    /// The frames that the loaded program judged itself.
    fn judged_by_kernel(&self) -> Counter;
}
