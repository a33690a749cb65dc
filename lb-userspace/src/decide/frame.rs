//! Reads a frame's tuple with the datapath's parser. Pure.

use lb_common::{mac::Mac, outcome::Outcome};
use lb_ebpf::{
    ethernet::{self, Own},
    fast_path,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::judge::Tuple;

/// A frame, as far as it was captured.
#[derive(Debug)]
pub struct CapturedFrame<'a> {
    bytes: &'a [u8],
    length: usize,
}

/// The result of reading a captured frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameTuple {
    /// The tuple, or why it has none.
    Parsed(Result<Tuple, Outcome>),
    /// Not captured far enough to decide.
    Undecided,
}

impl Context for CapturedFrame<'_> {
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's.
        let frame = unsafe { &*context };
        let range = frame.bytes.as_ptr_range();
        (range.start.expose_provenance(), range.end.expose_provenance())
    }

    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        let frame = unsafe { &*context };
        frame.length
    }
}

impl<'a> CapturedFrame<'a> {
    /// A frame of `length` bytes, of which the first `bytes` were captured.
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes, length: length.max(bytes.len()) }
    }

    /// Reads the frame as an interface with this MAC does.
    pub fn read(mut self, own: Mac) -> FrameTuple {
        let parsed = self.parse(own);
        // In a truncated frame a missing header looks malformed or, in a quote, like no service. A wrong header gives
        // the same results, and a truncated frame does not show which it is.
        let truncated = self.bytes.len() < self.length;
        match parsed {
            Err(Outcome::Malformed | Outcome::NoService) if truncated => FrameTuple::Undecided,
            parsed => FrameTuple::Parsed(parsed),
        }
    }

    fn parse(&mut self, own: Mac) -> Result<Tuple, Outcome> {
        let [a, b, c, d, e, f] = own.0;
        // SAFETY: `self` outlives the packet.
        let packet = unsafe { Packet::new(&raw mut *self) };
        let own = u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]);
        // As the program does: fast path first.
        let parsed = match fast_path::any(&packet, own) {
            Some(parsed) => parsed,
            None => parse::network(&packet, &ethernet::read(&packet, Own(own))?)?,
        };
        Ok(match parsed {
            Parsed::V4(flow) => Tuple::from(&flow),
            Parsed::V6(flow) => Tuple::from(&flow),
        })
    }
}
