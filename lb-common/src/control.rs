//! The control word: which half of the tables is in force.
//!
//! A program reads it once for each packet, first. Everything that must change together is either in the word or in the
//! half that it names, so storing the word publishes a change.
//!
//! ```text
//! bit 0      the active half
//! bit 1      standby: nothing is forwarded
//! bit 2      some service has no port                bit 3  some service has no protocol
//! bit 4      some service has a prefix
//! bit 5      some service is found by a packet's source     bit 6  some service is found by its destination
//! bits 8–23  seed of the service table's hash
//! bits 24–63 generation: incremented by every publication, so readers notice that a half was replaced
//! ```

/// The control word.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Control(pub u64);

const HALF: u64 = 1;
const STANDBY: u64 = 1 << 1;
const ANY_PORT: u64 = 1 << 2;
const ANY_PROTOCOL: u64 = 1 << 3;
const PREFIX: u64 = 1 << 4;
const REPLY: u64 = 1 << 5;
const FORWARD: u64 = 1 << 6;
const SEED_SHIFT: u32 = 8;
const GENERATION_SHIFT: u32 = 24;

/// What the word says about a half.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    /// Some service is found by [`crate::key::Kind::Protocol`].
    pub any_port: bool,
    /// Some service is found by [`crate::key::Kind::Address`].
    pub any_protocol: bool,
    /// Some service has a prefix.
    pub prefix: bool,
    /// Some service is found by [`crate::key::Side::Source`].
    pub reply: bool,
    /// Some service is found by [`crate::key::Side::Destination`].
    pub forward: bool,
    /// The seed of the hash by which the half's cells were placed.
    pub seed: u16,
}

impl Control {
    /// The word that puts the other half in force, which holds `contents`. Standby stays as it is.
    #[must_use]
    pub const fn publish(self, contents: Contents) -> Self {
        let mut word = (self.0 & (HALF | STANDBY)) ^ HALF;
        if contents.any_port {
            word |= ANY_PORT;
        }
        if contents.any_protocol {
            word |= ANY_PROTOCOL;
        }
        if contents.prefix {
            word |= PREFIX;
        }
        if contents.reply {
            word |= REPLY;
        }
        if contents.forward {
            word |= FORWARD;
        }
        word |= (contents.seed as u64) << SEED_SHIFT;
        Self(word | (self.generation() + 1) << GENERATION_SHIFT)
    }

    /// The same word, on standby or active.
    #[must_use]
    pub const fn with_standby(self, standby: bool) -> Self {
        Self(if standby { self.0 | STANDBY } else { self.0 & !STANDBY })
    }

    /// The active half: 0 or 1.
    #[inline(always)]
    pub const fn half(self) -> u32 {
        (self.0 & HALF) as u32
    }

    /// Whether nothing is to be forwarded.
    #[inline(always)]
    pub const fn standby(self) -> bool {
        self.0 & STANDBY != 0
    }

    /// Whether some service is found without a port.
    #[inline(always)]
    pub const fn any_port(self) -> bool {
        self.0 & ANY_PORT != 0
    }

    /// Whether some service is found without a protocol.
    #[inline(always)]
    pub const fn any_protocol(self) -> bool {
        self.0 & ANY_PROTOCOL != 0
    }

    /// Whether some service has a prefix.
    #[inline(always)]
    pub const fn prefix(self) -> bool {
        self.0 & PREFIX != 0
    }

    /// Whether some service is found by a packet's source.
    #[inline(always)]
    pub const fn reply(self) -> bool {
        self.0 & REPLY != 0
    }

    /// Whether some service is found by a packet's destination.
    #[inline(always)]
    pub const fn forward(self) -> bool {
        self.0 & FORWARD != 0
    }

    /// Whether some service is found by a kind of key other than [`crate::key::Kind::Port`], fragments aside.
    #[inline(always)]
    pub const fn others(self) -> bool {
        self.0 & (ANY_PORT | ANY_PROTOCOL | PREFIX) != 0
    }

    /// Whether some service has a prefix, and otherwise none is found without a port.
    #[inline(always)]
    pub const fn only_prefixes(self) -> bool {
        self.0 & (ANY_PORT | ANY_PROTOCOL | PREFIX) == PREFIX
    }

    /// The seed of the service table's hash.
    #[inline(always)]
    pub const fn seed(self) -> u16 {
        (self.0 >> SEED_SHIFT) as u16
    }

    /// Counts publications; 40 bits, enough for one per millisecond for 34 years.
    pub const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishing_swaps_the_half_and_keeps_standby() {
        let contents = Contents { any_port: true, forward: true, seed: 0xbeef, ..Contents::default() };
        let first = Control::default().with_standby(true).publish(contents);
        assert_eq!((first.half(), first.standby(), first.seed(), first.generation()), (1, true, 0xbeef, 1));
        assert!(first.any_port() && !first.any_protocol());
        assert!(first.forward() && !first.reply());

        let second = first.with_standby(false).publish(Contents { any_protocol: true, ..Contents::default() });
        assert_eq!((second.half(), second.standby(), second.seed(), second.generation()), (0, false, 0, 2));
        assert!(!second.any_port() && second.any_protocol());
    }
}
