//! Finds the balancer's MAC in a capture.
//!
//! Trap: a capture from the gateway holds sent frames as well as received ones. Still, most frames that a service
//! would take go to the gateway's MAC, because those that it sent are spread over several servers' MACs.

use std::{cmp::Reverse, collections::HashMap, io::Read};

use lb_common::mac::Mac;

use super::{capture::Capture, progress::Progress, setting::Setting};
use crate::decide::{
    frame::{CapturedFrame, FrameTuple},
    judge::Judge,
};

/// The destination MAC of most frames that a service would take or, without such frames, of most frames, except group
/// addresses. Of several, the lowest. A capture that ends in an error counts up to there.
pub fn most_frequent<R: Read>(setting: &Setting, mut capture: Capture<R>, progress: &mut Progress) -> Option<Mac> {
    let judge = Judge::new(&setting.config.services, &setting.own_addresses);
    // Frames that a service would take, and all frames.
    let mut frames: HashMap<Mac, (u64, u64)> = HashMap::new();
    while let Ok(Some(frame)) = capture.next() {
        let Some(destination) = frame.bytes.first_chunk().copied().map(Mac).filter(|mac| !mac.is_group()) else {
            continue;
        };
        let seen = CapturedFrame::new(frame.bytes, frame.length as usize).read(destination);
        let matches = matches!(seen, FrameTuple::Parsed(Ok(tuple)) if judge.service(&tuple).is_ok());
        let count = frames.entry(destination).or_default();
        *count = (count.0 + u64::from(matches), count.1 + 1);
        progress.at(capture.offset());
    }
    progress.end();
    frames.into_iter().max_by_key(|(mac, count)| (*count, Reverse(*mac))).map(|(mac, _)| mac)
}
