//! A frame → its tuple, by the datapath's own parser.

use lb_common::{mac::Mac, outcome::Outcome};
use lb_ebpf::{
    ethernet, fast_path,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::judge::Tuple;

/// A frame as far as it was captured.
#[derive(Debug)]
pub struct Shown<'a> {
    bytes: &'a [u8],
    length: usize,
}

/// What can be told of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seen {
    /// The tuple, or why it has none.
    Parsed(Result<Tuple, Outcome>),
    /// What decides was not captured.
    Undecided,
}

impl Context for Shown<'_> {
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

impl<'a> Shown<'a> {
    /// The first bytes of a frame that had `length` bytes.
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes, length: length.max(bytes.len()) }
    }

    /// Reads the frame as an interface with this MAC does.
    pub fn see(mut self, own: Mac) -> Seen {
        let parsed = self.parse(own);
        // A header beyond the end is malformed, or, in a quote, nobody's; so is what is wrong in itself. Whether it was
        // the end that was met nobody can tell from a frame that has another one.
        let cut = self.bytes.len() < self.length;
        match parsed {
            Err(Outcome::Malformed | Outcome::NoService) if cut => Seen::Undecided,
            parsed => Seen::Parsed(parsed),
        }
    }

    fn parse(&mut self, own: Mac) -> Result<Tuple, Outcome> {
        let [a, b, c, d, e, f] = own.0;
        // SAFETY: `self` outlives the packet.
        let packet = unsafe { Packet::new(&raw mut *self) };
        let own = u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]);
        // As the program does it, the fast path first.
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
