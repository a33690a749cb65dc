//! Which frames are the balancer's, where nobody says.
//!
//! Trap: a capture from the gateway holds what it sent as well as what it received. To whom most frames go that a service
//! would take, that is the gateway: what it sent on went to servers, of which there are several.

use std::{cmp::Reverse, collections::HashMap, io::Read};

use lb_common::mac::Mac;

use super::{capture::Capture, progress::Progress, setting::Setting};
use crate::decide::{
    frame::{Seen, Shown},
    judge::Judge,
};

/// The destination of most frames that a service would take or, if there are none, of most frames; groups aside. The one
/// that comes first in order where there are several. A capture that ends in an error counts up to there.
pub fn most_frequent<R: Read>(setting: &Setting, mut capture: Capture<R>, progress: &mut Progress) -> Option<Mac> {
    let judge = Judge::new(&setting.config.services, &setting.own_addresses);
    // Of a service, and in all.
    let mut frames: HashMap<Mac, (u64, u64)> = HashMap::new();
    while let Ok(Some(frame)) = capture.next() {
        let Some(destination) = frame.bytes.first_chunk().copied().map(Mac).filter(|mac| !mac.is_group()) else {
            continue;
        };
        let seen = Shown::new(frame.bytes, frame.length as usize).see(destination);
        let matches = matches!(seen, Seen::Parsed(Ok(tuple)) if judge.service(&tuple).is_ok());
        let count = frames.entry(destination).or_default();
        *count = (count.0 + u64::from(matches), count.1 + 1);
        progress.at(capture.offset());
    }
    progress.end();
    frames.into_iter().max_by_key(|(mac, count)| (*count, Reverse(*mac))).map(|(mac, _)| mac)
}
