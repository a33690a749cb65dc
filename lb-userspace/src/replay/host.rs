//! Judges frames without the kernel: the datapath's parser, and the judge behind `explain`.

use lb_common::{outcome::Outcome, table::Counter};

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
        Self { judge: Judge::new(&placed.config.services, &placed.own), outcomes: Outcomes::default() }
    }
}

impl Engine for HostEngine<'_> {
    fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error> {
        let taken = parsed.and_then(|tuple| self.judge.server(&tuple));
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
