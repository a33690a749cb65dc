//! Addresses and text ↔ bytes of a fixed length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address in network byte order; IPv4 in the first four bytes.
pub(super) fn octets(address: IpAddr) -> [u8; 16] {
    let mut octets = [0; 16];
    match address {
        IpAddr::V4(v4) => octets[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => octets = v6.octets(),
    }
    octets
}

/// The reverse; `family` is 4 or 6.
pub(in crate::datapath) fn address(octets: &[u8; 16], family: u8) -> IpAddr {
    let [a, b, c, d, ..] = *octets;
    if family == 6 { Ipv6Addr::from(*octets).into() } else { Ipv4Addr::new(a, b, c, d).into() }
}

/// Text padded with zeros. Validation has limited it to `LENGTH` bytes.
pub(super) fn padded<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// The reverse of [`padded`].
pub(in crate::datapath) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The same; `None`: it is empty.
pub(super) fn some_text(bytes: &[u8]) -> Option<String> {
    Some(text(bytes)).filter(|text| !text.is_empty())
}
