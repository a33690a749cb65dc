//! Interleaved rounds with every subject once in each, so that drift affects all of them equally.
//!
//! Trap: equal instances differ in speed as long as they live, probably by the memory that their tables happened to
//! get, whose lines may or may not collide in the caches. So a subject has several instances, which take turns from
//! round to round.
//!
//! Trap: between two turns of a subject, the others fill the caches. So before each turn it gets packets that are not
//! timed, enough to touch what many flows touch.

use anyhow::Result;

use crate::{
    driver::{Driver, Slot},
    frame::{Frame, Shape, Spread},
    interrupt,
    progress::Progress,
};

/// A program with the packets that it is given.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Subject {
    /// The program, or several equivalent ones.
    pub slot: Slot,
    /// The packets.
    pub shape: Shape,
    /// Which flows they belong to.
    pub spread: Spread,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// How many rounds.
    pub rounds: usize,
    /// About how long each subject runs in each round.
    pub nanoseconds: f64,
    /// How many instances of modlb take turns.
    pub instances: usize,
}

impl Length {
    /// Quick or full. All instances have the same number of turns.
    pub const fn new(quick: bool) -> Self {
        if quick {
            Self { rounds: 12, nanoseconds: 4e6, instances: 3 }
        } else {
            Self { rounds: 35, nanoseconds: 12e6, instances: 5 }
        }
    }
}

/// Nanoseconds for a packet, of every subject in every round.
#[derive(Debug)]
pub struct Times {
    subjects: Vec<Subject>,
    times: Vec<Vec<f64>>,
}

impl Times {
    /// The times of one subject, round by round; empty if it was not measured.
    pub fn of(&self, subject: &Subject) -> &[f64] {
        let place = self.subjects.iter().position(|measured| measured == subject);
        place.map_or(&[], |place| &self.times[place])
    }
}

/// Measures all subjects, each only once even if it is listed twice.
pub fn measure(
    driver: &mut Driver,
    subjects: impl IntoIterator<Item = Subject>,
    length: Length,
    progress: &mut Progress,
) -> Result<Times> {
    let mut distinct: Vec<Subject> = Vec::new();
    for subject in subjects {
        if !distinct.contains(&subject) {
            distinct.push(subject);
        }
    }
    let frames: Vec<_> = distinct.iter().map(|subject| Frame::new(&subject.shape)).collect();
    let mut repeats = Vec::new();
    for (subject, frame) in distinct.iter().zip(&frames) {
        repeats.push(repeat(driver, subject, frame, length)?);
    }
    let mut times = vec![Vec::with_capacity(length.rounds); distinct.len()];
    for round in 0..length.rounds {
        progress.done(round, length.rounds);
        // Each round starts with another subject, so that none always follows the same one.
        for place in 0..distinct.len() {
            interrupt::check()?;
            let place = (place + round * distinct.len() / length.rounds) % distinct.len();
            let subject = &distinct[place];
            let slot = subject.slot.in_turn(round);
            driver.time(slot, &frames[place], subject.spread, warm_up(subject))?;
            times[place].push(driver.time(slot, &frames[place], subject.spread, repeats[place])?);
        }
    }
    Ok(Times { subjects: distinct, times })
}

/// Of the usual table, many packets touch the slots and counters of 256 services: ten thousand cache lines.
fn warm_up(subject: &Subject) -> u32 {
    if subject.spread == Spread::HOT { 1_000 } else { 40_000 }
}

/// How many repeats take this long.
fn repeat(driver: &mut Driver, subject: &Subject, frame: &Frame, length: Length) -> Result<u32> {
    const FIRST: u32 = 20_000;
    let time = driver.time(subject.slot, frame, subject.spread, FIRST)?;
    Ok((length.nanoseconds / time) as u32 + 1)
}
