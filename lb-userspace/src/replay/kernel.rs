//! Judges frames by the loaded program.
//!
//! Each server gets a MAC that contains its number, so the output frame shows which server it was sent to. Servers on
//! the balancer itself are treated as remote ones here, since the program would pass their frames unmarked; the
//! statistics separate them again. Only what such a server takes from a peer is passed.

use std::mem;

use lb_common::{mac::Mac, outcome::Outcome, table::Counter};

use super::{
    engine::{Engine, Outcomes, Taken},
    error::Error,
    host::HostEngine,
};
use crate::{
    datapath::{
        Placed,
        trial::{Action, Trial},
    },
    decide::judge::Tuple,
};

/// The first bytes of servers' stand-in MACs: locally administered.
const STAND_IN: [u8; 2] = [0x02, 0x4d];

/// The MAC that stands for a server, numbered over all services.
pub const fn stand_in(number: u32) -> Mac {
    let ([a, b], [c, d, e, f]) = (STAND_IN, number.to_be_bytes());
    Mac([a, b, c, d, e, f])
}

/// A configuration in the loaded program.
pub struct KernelEngine<'a> {
    trial: Trial,
    /// For frames on which the kernel runs no program: shorter than an Ethernet header, or longer than one buffer.
    host: HostEngine<'a>,
    /// Service and server index of every server, by its number.
    servers: Vec<(usize, usize)>,
    /// The frames that the program sent to each server, by its number.
    sent: Vec<Counter>,
    judged: Counter,
}

impl<'a> KernelEngine<'a> {
    pub fn new(trial: Trial, placed: &'a Placed) -> Self {
        let services = placed.config.services.iter().enumerate();
        let servers: Vec<_> = services
            .flat_map(|(index, service)| (0..service.servers.len()).map(move |server| (index, server)))
            .collect();
        let sent = vec![Counter::default(); servers.len()];
        Self { trial, host: HostEngine::new(placed), servers, sent, judged: Counter::default() }
    }

    /// The server that is the balancer itself, if it takes a frame because a peer sent it. The program passes such a
    /// frame, and so does not show where it went.
    fn taken_from_peer(&self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Taken {
        self.host.judge(frame, parsed).ok().filter(|taken| self.host.is_from_peer(frame, *taken))
    }

    fn number(&self, mac: Mac) -> Result<usize, Error> {
        let [a, b, number @ ..] = mac.0;
        let number = u32::from_be_bytes(number) as usize;
        if [a, b] != STAND_IN || number >= self.servers.len() {
            return Err(Error::Contradiction(format!("a frame was sent to {mac}, which belongs to no server")));
        }
        Ok(number)
    }
}

impl Engine for KernelEngine<'_> {
    fn run(&mut self, frame: &[u8], parsed: &Result<Tuple, Outcome>) -> Result<Taken, Error> {
        if !self.trial.takes(frame.len()) {
            return self.host.run(frame, parsed);
        }
        let one = Counter { packets: 1, bytes: frame.len() as u64 };
        self.judged += one;
        match self.trial.run(frame)? {
            Action::Sent(mac) => {
                let number = self.number(mac)?;
                self.sent[number] += one;
                Ok(Some(self.servers[number]))
            }
            Action::Passed => Ok(self.taken_from_peer(frame, parsed).inspect(|taken| {
                // Compared with the program's counters in the end.
                let number = self.servers.iter().position(|server| server == taken);
                self.sent[number.unwrap_or_default()] += one;
            })),
            Action::Dropped => Ok(None),
        }
    }

    /// The program's counters, checked against where its frames went, plus those of the host engine.
    fn outcomes(&self) -> Result<Outcomes, Error> {
        let totals = self.trial.totals()?;
        for (number, (server, sent)) in self.servers.iter().zip(&self.sent).enumerate() {
            let counted = totals.services[server.0].servers[server.1];
            if counted != *sent {
                return Err(Error::Contradiction(format!(
                    "it counted {} packets and {} bytes for server number {number}, but sent {} and {} to it",
                    counted.packets, counted.bytes, sent.packets, sent.bytes
                )));
            }
        }
        let mut all = Counter::default();
        let mut outcomes = self.host.outcomes()?;
        for (outcome, counted) in outcomes.iter_mut().zip(&totals.outcomes) {
            all += *counted;
            *outcome += *counted;
        }
        let local = mem::take(&mut outcomes[Outcome::Local.index() as usize]);
        outcomes[Outcome::Forwarded.index() as usize] += local;
        if all != self.judged {
            let Counter { packets, bytes } = self.judged;
            return Err(Error::Contradiction(format!(
                "it was handed {packets} packets and {bytes} bytes, but counted {} and {}",
                all.packets, all.bytes
            )));
        }
        Ok(outcomes)
    }

    fn judged_by_kernel(&self) -> Counter {
        self.judged
    }
}
