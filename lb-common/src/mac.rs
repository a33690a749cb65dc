//! The Ethernet (MAC) address.

use core::{fmt, str::FromStr};

/// A 48-bit Ethernet address, in the order of the wire.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The zero address, which no interface has.
    pub const ZERO: Self = Self([0; 6]);

    /// The number that has the MAC in its first six bytes in memory, and zeros in the last two.
    pub const fn wide(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
    }

    /// Whether this is a multicast or broadcast address (the I/G bit of IEEE 802.3 is set).
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether a server can have this address: neither a group's nor zero.
    pub const fn is_unicast(self) -> bool {
        !self.is_group() && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

/// The text is not six two-digit hexadecimal numbers separated by colons (or hyphens).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseMacError;

impl fmt::Display for ParseMacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address; write it like 02:00:00:00:00:11")
    }
}

impl core::error::Error for ParseMacError {}

impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut bytes = [0; 6];
        let mut parts = text.split(separator);
        for byte in &mut bytes {
            let part = parts.next().ok_or(ParseMacError)?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(ParseMacError);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| ParseMacError)?;
        }
        parts.next().is_none().then_some(Self(bytes)).ok_or(ParseMacError)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString as _;

    use super::*;

    #[test]
    fn text_and_back() {
        let mac: Mac = "02:00:5e:AB:00:11".parse().unwrap();
        assert_eq!(mac, Mac([0x02, 0x00, 0x5e, 0xab, 0x00, 0x11]));
        assert_eq!(mac.to_string(), "02:00:5e:ab:00:11");
        assert_eq!("02-00-5e-ab-00-11".parse(), Ok(mac));
    }

    #[test]
    fn refuses_what_is_not_a_mac() {
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:11:22", "2:0:0:0:0:1", "02:00:00:00:00:gg", "+2:00:00:00:00:11"]
        {
            assert_eq!(text.parse::<Mac>(), Err(ParseMacError), "{text}");
        }
    }

    #[test]
    fn knows_group_and_zero() {
        assert!(Mac([0x01, 0, 0x5e, 0, 0, 1]).is_group());
        assert!(Mac([0xff; 6]).is_group());
        assert!(!Mac::ZERO.is_unicast());
        assert!(Mac([2, 0, 0, 0, 0, 1]).is_unicast());
    }
}
