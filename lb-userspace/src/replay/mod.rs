//! Runs a capture through the datapath without attaching it: what would have happened to each packet.
//!
//! ```text
//! capture   a file → frames                          setting   what to replay, for which host, and how
//! engine    a frame → the server that takes it       kernel    by the loaded program       host   without it
//! scenario  a different configuration to compare     stats     everything that is counted
//! own_mac   which frames are the balancer's          progress  how far it is, on a terminal
//! ```
//!
//! Trap: a frame that the capture truncated was not a short frame. If all deciding headers are there, it is filled up
//! with zeros, which nothing reads, so that lengths fit. If not, its outcome is unknown, and it is counted separately.

use std::{io::Read, net::IpAddr};

use lb_common::{mac::Mac, table::Counter};

use crate::{
    config::model::{Config, PeerMac, ServerMac},
    datapath::{Location, Placed},
    decide::{
        frame::{CapturedFrame, FrameTuple},
        keep::names::names,
        peers::{PeerRule, adopt_servers_macs},
    },
};

pub mod capture;
mod engine;
mod engines;
mod error;
mod host;
mod kernel;
mod own_mac;
mod progress;
mod scenario;
mod setting;
mod stats;

use self::{
    capture::{Capture, Frame},
    engine::Engine,
};
pub use self::{
    error::Error,
    own_mac::most_frequent,
    progress::Progress,
    scenario::{Change, Scenario},
    setting::{Method, Setting},
    stats::{Flows, Moves, ReplayStats, ServerLoad, ServiceLoad},
};

/// The result of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// The figures, up to the error if there is one.
    pub stats: ReplayStats,
    /// The frames that the loaded program judged; this process judged the rest.
    pub by_kernel: Counter,
    /// Change the capture could not be read to its end.
    pub error: Option<capture::Error>,
}

/// Replays a capture.
///
/// # Errors
///
/// The datapath cannot be run; see [`Error`]. An error at the end of the capture is part of the result.
pub fn replay<R: Read>(
    setting: &Setting,
    method: Method,
    mut capture: Capture<R>,
    progress: &mut Progress,
) -> Result<Replayed, Error> {
    let configs: Vec<&Config> =
        [&setting.config].into_iter().chain(setting.scenarios.iter().map(|scenario| &scenario.config)).collect();
    let placed: Vec<_> = configs.iter().map(|config| placed(config, &setting.own_addresses)).collect();
    // The program knows one MAC: all of the balancer's are mapped to it.
    let mac = setting.own_macs.first().copied().unwrap_or_default();
    let mut engines = engines::start(method, &placed, mac)?;
    let mut stats = ReplayStats::new(setting)?;
    let mut frame = Vec::new();
    let error = loop {
        let captured = match capture.next() {
            Ok(Some(captured)) => captured,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        judge_frame(setting, mac, captured, &mut frame, &mut engines, &mut stats)?;
        progress.at(capture.offset());
    };
    progress.end();
    let mut by_kernel = Counter::default();
    if let Some(base) = engines.first() {
        stats.finish(base.outcomes()?);
        by_kernel = base.judged_by_kernel();
    }
    Ok(Replayed { stats, by_kernel, error })
}

/// Judges one frame; `buffer` is only passed to be reused.
fn judge_frame(
    setting: &Setting,
    mac: Mac,
    captured: Frame<'_>,
    buffer: &mut Vec<u8>,
    engines: &mut [Box<dyn Engine + '_>],
    stats: &mut ReplayStats,
) -> Result<(), Error> {
    buffer.clear();
    buffer.extend_from_slice(captured.bytes);
    if let Some(destination) = buffer.first_chunk_mut()
        && setting.own_macs.contains(&Mac(*destination))
    {
        *destination = mac.0;
    }
    let parsed = match CapturedFrame::new(buffer, captured.length as usize).read(mac) {
        FrameTuple::Parsed(parsed) => parsed,
        FrameTuple::Undecided => {
            stats.undecided(captured.length);
            return Ok(());
        }
    };
    if buffer.len() < captured.length as usize {
        buffer.resize(captured.length as usize, 0);
        stats.filled(captured.length);
    }
    let mut taken = Vec::with_capacity(engines.len());
    for engine in engines {
        taken.push(engine.run(buffer, &parsed)?);
    }
    stats.packet(captured.length, parsed.ok().as_ref(), &taken);
    Ok(())
}

/// A configuration whose servers need not be resolved: each gets a MAC that identifies it. Peers are those whose MACs
/// the file gives.
fn placed(config: &Config, own: &[IpAddr]) -> Placed {
    let mut config = config.clone();
    for peer in config.peers.iter_mut().filter(|peer| own.contains(&peer.address)) {
        peer.mac = PeerMac::ThisHost;
    }
    adopt_servers_macs(&mut config);
    let is_here = |service: usize, server: usize| own.contains(&config.services[service].servers[server].address);
    let peers = PeerRule::all(&config, is_here);
    let servers = config.services.iter_mut().flat_map(|service| &mut service.servers);
    for (number, server) in (0..).zip(servers) {
        server.mac = ServerMac::Given(kernel::stand_in(number));
    }
    let locations = config.services.iter().map(|service| vec![Location::SamePort; service.servers.len()]).collect();
    let names = names(&config, &peers, own);
    Placed { config, locations, own: own.to_vec(), peers, names }
}
