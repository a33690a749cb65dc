//! Judges frames without the kernel: the datapath's parser, and the judge behind `explain`.

use lb_common::{mac::Mac, outcome::Outcome, table::Counter};

use super::{
    engine::{Engine, Outcomes, Taken},
    error::Error,
};
use crate::{
    datapath::Placed,
    decide::judge::{Judge, Tuple},
};

/// A configuration judged in this process.
#[derive(Debug)]
pub struct HostEngine<'a> {
    judge: Judge<'a>,
    outcomes: Outcomes,
}

impl<'a> HostEngine<'a> {
    pub fn new(placed: &'a Placed) -> Self {
        Self {
            judge: Judge::new(&placed.config.services, &placed.own).with_peers(&placed.peers),
            outcomes: Outcomes::default(),
        }
    }

    /// The server that takes a frame.
    pub fn judge(&self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<(usize, usize), Outcome> {
        parsed.and_then(|tuple| self.judge.server(&tuple, sender(frame)))
    }

    /// Whether a peer sent the frame, so that it is not balanced again.
    pub fn is_from_peer(&self, frame: &[u8], (service, _): (usize, usize)) -> bool {
        self.judge.peer_rule(service, sender(frame)).is_some()
    }
}

/// The MAC that a frame comes from.
fn sender(frame: &[u8]) -> Option<Mac> {
    frame.get(6..)?.first_chunk().copied().map(Mac)
}

impl Engine for HostEngine<'_> {
    fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error> {
        let taken = self.judge(frame, parsed);
        let outcome = taken.err().unwrap_or(Outcome::Forwarded);
        self.outcomes[outcome.index() as usize] += Counter { packets: 1, bytes: frame.len() as u64 };
        Ok(taken.ok())
    }

    fn outcomes(&self) -> Result<Outcomes, Error> {
        Ok(self.outcomes)
    }

    fn judged_by_kernel(&self) -> Counter {
        Counter::default()
    }
}
