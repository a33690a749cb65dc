//! Skips IPv6 extension headers, up to the upper layer or a fragment header that makes the packet a fragment.
//!
//! Trap: if this were inlined, eight headers would multiply the states that the verifier has to follow through all
//! later code, and do so twice where a packet is quoted. So `walk` is not inlined, and takes and returns numbers.
//! Packets without extension headers never call it.

use lb_common::{
    flow::protocol::{AH, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING},
    limits::MAX_EXTENSION_HEADERS,
    outcome::Outcome,
};

use crate::{
    headers::{Extension, Fragment},
    opaque,
    packet::{Context, Header, Packet, Wire, load},
    upper::{Fragments, Upper},
};

/// Whether this is an extension header that is skipped.
#[inline(always)]
pub fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | AH | FRAGMENT)
}

/// Skips the extension headers that stand at `upper`.
#[inline(always)]
pub fn look_through<C: Context>(packet: &Packet<C>, upper: Upper, fragments: Fragments) -> Result<Upper, Outcome> {
    if !is_extension(upper.protocol) {
        return Ok(upper);
    }
    let end = walk(packet.context(), upper.offset as u32, upper.length as u32, upper.protocol as u32, fragments as u32);
    unpack(end)
}

/// The end of a walk in one number: a BPF function returns no more.
mod packed {
    pub const FRAGMENT: u64 = 1 << 8;
    pub const MALFORMED: u64 = 1 << 9;
    pub const TOO_MANY: u64 = 1 << 10;
    pub const OFFSET_SHIFT: u32 = 16;
    pub const LENGTH_SHIFT: u32 = 32;
    /// A bound of offsets: larger than any frame, and small enough for the verifier to accept.
    pub const MASK: u64 = 0x7fff;

    #[inline(always)]
    pub const fn offset(number: u64) -> usize {
        (number >> OFFSET_SHIFT & MASK) as usize
    }

    #[inline(always)]
    pub const fn length(number: u64) -> usize {
        (number >> LENGTH_SHIFT) as usize
    }
}

#[inline(always)]
fn pack(protocol: u8, fragment: bool, offset: usize, length: usize) -> u64 {
    let flag = if fragment { packed::FRAGMENT } else { 0 };
    protocol as u64
        | flag
        | (offset as u64 & packed::MASK) << packed::OFFSET_SHIFT
        | (length as u64) << packed::LENGTH_SHIFT
}

#[inline(always)]
fn unpack(end: u64) -> Result<Upper, Outcome> {
    if end & packed::MALFORMED != 0 {
        return Err(Outcome::Malformed);
    }
    if end & packed::TOO_MANY != 0 {
        return Err(Outcome::TooManyHeaders);
    }
    Ok(Upper {
        protocol: end as u8,
        offset: packed::offset(end),
        length: packed::length(end),
        fragment: end & packed::FRAGMENT != 0,
    })
}

#[inline(never)]
fn walk<C: Context>(context: *mut C, offset: u32, length: u32, protocol: u32, fragments: u32) -> u64 {
    // SAFETY: the context of the packet that the caller reads.
    let packet = unsafe { Packet::new(context) };
    let fragments = if fragments == Fragments::All as u32 { Fragments::All } else { Fragments::Later };
    let mut place = Place { protocol: protocol as u8, offset: offset as usize, length: length as usize };
    for _ in 0..MAX_EXTENSION_HEADERS {
        place = place.opaque();
        if !is_extension(place.protocol) {
            return pack(place.protocol, false, place.offset, place.length);
        }
        match place.step(&packet, fragments) {
            Ok(Step::Next(next)) => place = next,
            Ok(Step::Fragment(protocol)) => return pack(protocol, true, place.offset, place.length),
            Err(_) => return packed::MALFORMED,
        }
    }
    if is_extension(place.protocol) {
        packed::TOO_MANY
    } else {
        pack(place.protocol, false, place.offset, place.length)
    }
}

/// Where a header stands, its protocol, and how many bytes are left from there on.
#[derive(Clone, Copy)]
struct Place {
    protocol: u8,
    offset: usize,
    length: usize,
}

enum Step {
    /// The header that follows.
    Next(Place),
    /// The packet is a fragment, of this protocol.
    Fragment(u8),
}

impl Place {
    /// The same place, of which verifiers know nothing.
    #[inline(always)]
    fn opaque(self) -> Self {
        let number = opaque::number(pack(self.protocol, false, self.offset, self.length));
        Self { protocol: number as u8, offset: packed::offset(number), length: packed::length(number) }
    }

    #[inline(always)]
    fn step<C: Context>(self, packet: &Packet<C>, fragments: Fragments) -> Result<Step, Outcome> {
        let header = self.header::<Extension>(packet)?;
        let (next, length): (u8, u8) = (load(&header.next_header), load(&header.length));
        let size = match self.protocol {
            FRAGMENT if self.is_fragment(packet, fragments)? => return Ok(Step::Fragment(next)),
            FRAGMENT => size_of::<Fragment>(),
            // RFC 4302, 2.2: in units of four bytes, without the first two.
            AH => (length as usize + 2) * 4,
            _ => (length as usize + 1) * 8,
        };
        if size > self.length {
            return Err(Outcome::Malformed);
        }
        let offset = (self.offset + size) & packed::MASK as usize;
        Ok(Step::Next(Self { protocol: next, offset, length: self.length - size }))
    }

    /// Whether the fragment header that stands here makes the packet a fragment. With offset 0 and no more fragments it
    /// is an atomic fragment, that is, a whole packet (RFC 6946).
    #[inline(always)]
    fn is_fragment<C: Context>(&self, packet: &Packet<C>, fragments: Fragments) -> Result<bool, Outcome> {
        const OFFSET: u16 = 0xfff8;
        const MORE: u16 = 1;
        let header = self.header::<Fragment>(packet)?;
        let field: u16 = load(&header.offset);
        let counts = match fragments {
            Fragments::All => OFFSET | MORE,
            Fragments::Later => OFFSET,
        };
        Ok(u16::from_be(field) & counts != 0)
    }

    #[inline(always)]
    fn header<'packet, T: Wire>(&self, packet: &'packet Packet<impl Context>) -> Result<Header<'packet, T>, Outcome> {
        if self.length < size_of::<T>() {
            return Err(Outcome::Malformed);
        }
        packet.header(self.offset & packed::MASK as usize)
    }
}
