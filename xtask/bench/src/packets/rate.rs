//! Packets per second of streams that arrive whole.

use std::{thread, time::Duration};

use anyhow::{Result, bail};

use crate::{interrupt, options::Options, packets::path::Path};

/// How many measurements may lose packets in a row.
const TRIES: usize = 5;

/// The pause after one that did.
const SETTLE: Duration = Duration::from_millis(50);

/// How many rounds there are, and about how long each stream of them takes.
pub const fn length(options: &Options) -> (usize, Duration) {
    if options.quick { (9, Duration::from_millis(25)) } else { (41, Duration::from_millis(60)) }
}

/// Millions of packets per second of a stream from one CPU.
pub fn rate(path: &mut Path, count: u32) -> Result<f64> {
    whole(path, count.into(), |path| path.wire.send(&path.stream.load, &path.stream.frame.bytes, count))
}

/// The same of a stream from each of these CPUs, all together.
pub fn rate_from(path: &mut Path, cpus: &[usize], count: u32) -> Result<f64> {
    let all = u64::from(count) * cpus.len() as u64;
    whole(path, all, |path| path.wire.send_from(cpus, &path.stream.load, &path.stream.frame.bytes, count))
}

/// Millions of packets per second, of this many that all arrived.
///
/// Trap: when a virtual machine is descheduled for a while, the kernel may leave packets to `ksoftirqd`, which does not
/// run before the real-time generator ends; then a ring overflows. Such a measurement says nothing about the way. It is
/// reported and repeated.
fn whole(path: &mut Path, packets: u64, mut send: impl FnMut(&mut Path) -> Result<Duration>) -> Result<f64> {
    for _ in 0..TRIES {
        let before = path.wire.arrived()?;
        let time = send(path)?;
        let arrived = path.wire.arrived()? - before;
        if arrived == packets {
            return Ok(packets as f64 / time.as_secs_f64() / 1e6);
        }
        eprintln!("{}: {arrived} of {packets} packets arrived; measuring again", path.way.name());
        interrupt::check()?;
        thread::sleep(SETTLE);
    }
    bail!("{}: packets were lost in each of {TRIES} measurements", path.way.name())
}

/// How many packets take this long.
pub fn count(path: &mut Path, time: Duration) -> Result<u32> {
    const FIRST: u32 = 20_000;
    Ok((rate(path, FIRST)? * 1e6 * time.as_secs_f64()) as u32)
}

/// Round by round.
pub fn ratios(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this / that).collect()
}
