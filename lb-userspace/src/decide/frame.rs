//! A frame → its tuple, by the datapath's own parser: pure.

use lb_common::{mac::Mac, outcome::Outcome};
use lb_ebpf::{
    ethernet, fast_path,
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

/// The tuple of a captured frame.
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
    /// The first bytes of a frame that had `length` bytes.
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes, length: length.max(bytes.len()) }
    }

    /// Reads the frame as an interface with this MAC does.
    pub fn read(mut self, own: Mac) -> FrameTuple {
        let parsed = self.parse(own);
        // In a truncated frame a missing header looks malformed or, in a quote, like no service. The same results may
        // come from a header that is really wrong; a truncated frame does not show which.
        let cut = self.bytes.len() < self.length;
        match parsed {
            Err(Outcome::Malformed | Outcome::NoService) if cut => FrameTuple::Undecided,
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
            None => parse::network(&packet, &ethernet::own(&packet, own)?)?,
        };
        Ok(match parsed {
            Parsed::V4(flow) => Tuple::from(&flow),
            Parsed::V6(flow) => Tuple::from(&flow),
        })
    }
}
