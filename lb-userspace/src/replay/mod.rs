//! A capture through the datapath, attached to nothing: what would have happened to each packet.
//!
//! ```text
//! capture   a file → frames                          setting   what is replayed, on which host, and by whom
//! engine    a frame → the server that takes it       kernel    by the loaded program       host   without it
//! scenario  what could be otherwise                  tally     everything that is counted
//! own       which frames are the balancer's          progress  how far it is, on a terminal
//! ```
//!
//! Trap: a frame that the capture cut short is not a frame that was short. Where all the headers that decide are there, it
//! is filled up with zeros, which nothing looks at, so that lengths fit; where they are not, nobody can say what would
//! have happened, and it is counted apart.

use std::{io::Read, net::IpAddr};

use lb_common::{mac::Mac, table::Counter};

use crate::{
    config::model::{Config, ServerMac},
    datapath::{Place, Placed},
    decide::frame::{Seen, Shown},
};

pub mod capture;
mod engine;
mod engines;
mod error;
mod host;
mod kernel;
mod own;
mod progress;
mod scenario;
mod setting;
mod tally;

use self::{
    capture::{Capture, Frame},
    engine::Engine,
};
pub use self::{
    error::Error,
    own::most_frequent,
    progress::Progress,
    scenario::{Scenario, Why},
    setting::{Method, Setting},
    tally::{Flows, Moves, ServerTally, ServiceTally, Tally},
};

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// What was counted, up to the error if there is one.
    pub tally: Tally,
    /// What the loaded program judged; the rest was judged by this process.
    pub by_kernel: Counter,
    /// Why the capture could not be read to its end.
    pub error: Option<capture::Error>,
}

/// Replays a capture.
///
/// # Errors
///
/// The datapath cannot be tried; see [`Error`]. That the capture ends in an error is part of the result.
pub fn replay<R: Read>(
    setting: &Setting,
    method: Method,
    mut capture: Capture<R>,
    progress: &mut Progress,
) -> Result<Replayed, Error> {
    let configs: Vec<&Config> =
        [&setting.config].into_iter().chain(setting.scenarios.iter().map(|scenario| &scenario.config)).collect();
    let placed: Vec<_> = configs.iter().map(|config| place(config, &setting.own_addresses)).collect();
    // Whatever is ours gets the one MAC that the program knows.
    let mac = setting.own_macs.first().copied().unwrap_or_default();
    let mut engines = engines::start(method, &placed, mac)?;
    let mut tally = Tally::new(setting)?;
    let mut frame = Vec::new();
    let error = loop {
        let captured = match capture.next() {
            Ok(Some(captured)) => captured,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        one(setting, mac, captured, &mut frame, &mut engines, &mut tally)?;
        progress.at(capture.offset());
    };
    progress.end();
    let mut by_kernel = Counter::default();
    if let Some(base) = engines.first() {
        tally.finish(base.outcomes()?);
        by_kernel = base.judged_by_kernel();
    }
    Ok(Replayed { tally, by_kernel, error })
}

/// Judges one frame; `buffer` is only there to be used again.
fn one(
    setting: &Setting,
    mac: Mac,
    captured: Frame<'_>,
    buffer: &mut Vec<u8>,
    engines: &mut [Box<dyn Engine + '_>],
    tally: &mut Tally,
) -> Result<(), Error> {
    buffer.clear();
    buffer.extend_from_slice(captured.bytes);
    if let Some(destination) = buffer.first_chunk_mut()
        && setting.own_macs.contains(&Mac(*destination))
    {
        *destination = mac.0;
    }
    let parsed = match Shown::new(buffer, captured.length as usize).see(mac) {
        Seen::Parsed(parsed) => parsed,
        Seen::Undecided => {
            tally.undecided(captured.length);
            return Ok(());
        }
    };
    if buffer.len() < captured.length as usize {
        buffer.resize(captured.length as usize, 0);
        tally.filled(captured.length);
    }
    let mut taken = Vec::with_capacity(engines.len());
    for engine in engines {
        taken.push(engine.run(buffer, &parsed)?);
    }
    tally.packet(captured.length, parsed.ok().as_ref(), &taken);
    Ok(())
}

/// A configuration whose servers need not be looked for: each has a MAC by which it is recognised.
fn place(config: &Config, own: &[IpAddr]) -> Placed {
    let mut config = config.clone();
    let servers = config.services.iter_mut().flat_map(|service| &mut service.servers);
    for (number, server) in (0..).zip(servers) {
        server.mac = ServerMac::Given(kernel::stand_in(number));
    }
    let places = config.services.iter().map(|service| vec![Place::Back; service.servers.len()]).collect();
    Placed { config, places, own: own.to_vec() }
}
