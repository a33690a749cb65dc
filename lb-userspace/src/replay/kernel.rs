//! What becomes of a frame, by the loaded program.
//!
//! Which server a frame went to stands in the frame that comes out: every server has a MAC of its own here that says its
//! number. Servers that are the balancer itself are not told apart from others, since what the program passes for them it
//! would pass without a mark; whoever counts knows them.

use lb_common::{mac::Mac, outcome::Outcome, table::Counter};

use super::{
    Error, Tally,
    engine::{Outcomes, Taken},
};
use crate::datapath::{
    Placed,
    trial::{Action, MIN_FRAME, Trial},
};

/// What the MACs of servers start with: locally administered, nobody's.
const STAND_IN: [u8; 2] = [0x02, 0x4d];

/// The MAC that stands for a server, counted over all services.
pub const fn stand_in(number: u32) -> Mac {
    let ([a, b], [c, d, e, f]) = (STAND_IN, number.to_be_bytes());
    Mac([a, b, c, d, e, f])
}

/// A configuration in the loaded program.
pub struct Kernel {
    trial: Trial,
    /// The places of every server, by its number.
    servers: Vec<(usize, usize)>,
    /// Frames that are too short for the kernel to run a program on, which a program would find malformed.
    runts: Counter,
}

impl Kernel {
    pub fn new(trial: Trial, placed: &Placed) -> Self {
        let services = placed.config.services.iter().enumerate();
        let servers =
            services.flat_map(|(index, service)| (0..service.servers.len()).map(move |server| (index, server)));
        Self { trial, servers: servers.collect(), runts: Counter::default() }
    }

    pub fn run(&mut self, frame: &[u8]) -> Result<Taken, Error> {
        if frame.len() < MIN_FRAME {
            self.runts += Counter { packets: 1, bytes: frame.len() as u64 };
            return Ok(None);
        }
        match self.trial.run(frame)? {
            Action::Sent(mac) => Ok(Some(self.server(mac)?)),
            Action::Dropped | Action::Passed => Ok(None),
        }
    }

    fn server(&self, mac: Mac) -> Result<(usize, usize), Error> {
        let [a, b, number @ ..] = mac.0;
        let server = self.servers.get(u32::from_be_bytes(number) as usize).filter(|_| [a, b] == STAND_IN);
        server.copied().ok_or_else(|| Error::Contradiction(format!("a frame was sent to {mac}, which is no server's")))
    }

    /// What the program counted, compared with where its frames went.
    pub fn outcomes(&self, tally: &Tally) -> Result<Outcomes, Error> {
        let totals = self.trial.totals()?;
        for (place, server) in self.servers.iter().enumerate() {
            let (counted, sent) = (totals.services[server.0].servers[server.1], tally.sent(*server));
            if counted != sent {
                return Err(Error::Contradiction(format!(
                    "it counted {} packets and {} bytes for server number {place}, but sent it {} and {}",
                    counted.packets, counted.bytes, sent.packets, sent.bytes
                )));
            }
        }
        let mut outcomes = Outcomes::default();
        for (outcome, counted) in outcomes.iter_mut().zip(&totals.outcomes) {
            *outcome = *counted;
        }
        outcomes[Outcome::Malformed.index() as usize] += self.runts;
        Ok(outcomes)
    }
}
