//! A host as in an HTTP `Host` header: a name or an address, with or without a port.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The longest label of a DNS name, in bytes (RFC 1035, 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// The longest DNS name, in bytes.
const MAX_NAME_BYTES: usize = 253;

/// A host, and its port if it is given.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Host {
    /// The name or address.
    pub name: HostName,
    /// The port.
    pub port: Option<u16>,
}

/// A DNS name or an address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HostName {
    /// A valid DNS name without a final dot.
    Dns(String),
    /// An address; in text, one of IPv6 is in brackets.
    Ip(IpAddr),
}

/// The text is not a [`Host`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write www.example.org, 192.0.2.1 or [2001:db8::1], with or without a port as in www.example.org:8443")]
pub struct ParseHostError;

/// Whether text is a DNS name: labels of letters, digits, `-` and `_`, the last one not a number.
pub fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_NAME_BYTES && text.split('.').all(is_label) && !text.rsplit('.').next().is_some_and(is_number)
}

impl FromStr for Host {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, ParseHostError> {
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => {
                let address: Ipv6Addr = address.parse().map_err(|_| ParseHostError)?;
                let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(ParseHostError)?) };
                (HostName::Ip(address.into()), port)
            }
            None => {
                let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
                let name = match name.parse::<Ipv4Addr>() {
                    Ok(address) => HostName::Ip(address.into()),
                    Err(_) if is_dns_name(name) => HostName::Dns(name.to_owned()),
                    Err(_) => return Err(ParseHostError),
                };
                (name, port)
            }
        };
        let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            None => None,
            Some(port) if digits(port) => Some(port.parse().ok().filter(|port| *port != 0).ok_or(ParseHostError)?),
            Some(_) => return Err(ParseHostError),
        };
        Ok(Self { name, port })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => self.name.fmt(f),
            Some(port) => write!(f, "{}:{port}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_they_are_read() {
        for text in [
            "www.example.org",
            "www.example.org:8443",
            "a_b.c-d",
            "x",
            "203.0.113.10",
            "203.0.113.10:80",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            ".",
            "a b",
            "a..b",
            "www.example.org.",
            "-a",
            "a-.b",
            "999.1.1.1",
            "1.2.3",
            "7",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:b",
            "2001:db8::1",
            "[2001:db8::1",
            "[203.0.113.10]",
            "[::1]80",
            "[::1]:",
            "http://a",
            "a/b",
            "ü",
            &"x".repeat(64),
            &["x"; 128].join("."),
        ] {
            assert_eq!(text.parse::<Host>(), Err(ParseHostError), "{text}");
        }
    }
}
