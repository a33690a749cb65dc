//! Command line values that clap does not parse by itself.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use clap::{
    ValueEnum,
    builder::{PossibleValue, RangedI64ValueParser},
};

use ipnet::IpNet;
use lb_common::{flow::protocol::NAMES, outcome::Outcome};

use crate::{config::model::Role, decide::explain::Endpoint, serve};

/// The longest name of an instance, in bytes.
const MAX_INSTANCE_BYTES: usize = 64;

/// How often output may be repeated.
const WATCH_SECONDS: RangeInclusive<f64> = 0.1..=86_400.0;

/// The text is not an [`Endpoint`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an address; write 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443")]
pub struct ParseEndpointError;

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Bare addresses first: in IPv6 a colon belongs to the address unless it is in brackets.
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: None });
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr = inner.parse().map_err(|_| ParseEndpointError)?;
            return Ok(Self { address: address.into(), port: None });
        }
        match text.parse() {
            // Packets do not carry a zone.
            Ok(SocketAddr::V6(v6)) if v6.scope_id() != 0 => Err(ParseEndpointError),
            Ok(socket) => Ok(Self { address: socket.ip(), port: Some(socket.port()) }),
            Err(_) => Err(ParseEndpointError),
        }
    }
}

/// Where the agent listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Listen {
    /// There.
    At(serve::Endpoint),
    /// Nowhere.
    Nowhere,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::Nowhere),
            text => text.parse().map(Self::At).map_err(|error: serve::ParseEndpointError| format!("{error}, or none")),
        }
    }
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Balancer, Self::Member, Self::Steer, Self::Keep]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Balancer => PossibleValue::new("balancer").help("Send each packet to the chosen server"),
            Self::Member => PossibleValue::new("member").help("Take the packets that the formula gives to this host"),
            Self::Steer => PossibleValue::new("steer").help("Choose the router for packets that this host sends"),
            Self::Keep => PossibleValue::new("keep").help("Hand on packets of connections that other servers hold"),
        })
    }
}

/// A number from 1 to `most`.
pub(super) fn up_to(most: u32) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

/// The name becomes a directory below `/sys/fs/bpf/modlb/`, where dots are reserved.
pub(super) fn parse_instance(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > MAX_INSTANCE_BYTES || !text.bytes().all(allowed) {
        return Err(format!("use 1 to {MAX_INSTANCE_BYTES} letters, digits, '-' or '_'"));
    }
    Ok(text.to_owned())
}

/// Help that names every protocol with a name.
pub(super) fn protocol_help(more: &str) -> String {
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("The protocol: {} or a number{more}", names.join(", "))
}

pub(super) fn parse_outcome(text: &str) -> Result<Outcome, String> {
    Outcome::ALL.iter().copied().find(|outcome| outcome.name() == text).ok_or_else(|| {
        let names: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        format!("use one of: {}", names.join(", "))
    })
}

/// Takes an address as a prefix of full length.
pub(super) fn parse_net(text: &str) -> Result<IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "write an address or a prefix, as in 198.51.100.7 or 2001:db8::/32".to_owned())
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if WATCH_SECONDS.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) | Err(_) => {
            Err(format!("use a number of seconds from {} to {}", WATCH_SECONDS.start(), WATCH_SECONDS.end()))
        }
    }
}

/// The longest time for which a server is taken down.
const MAX_TIME_SECONDS: u64 = 366 * 86_400;

/// A time such as `90s`, `30m`, `2h` or `1d`.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let time = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    match time {
        Some(seconds @ 1..=MAX_TIME_SECONDS) => Ok(Duration::from_secs(seconds)),
        Some(_) | None => Err("use a time from 1s to 366d, such as 90s, 30m, 2h or 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_parsed() {
        let endpoint = |address: &str, port| Ok(Endpoint { address: address.parse().unwrap(), port });
        for (text, expected) in [
            ("198.51.100.7", endpoint("198.51.100.7", None)),
            ("198.51.100.7:51234", endpoint("198.51.100.7", Some(51234))),
            ("198.51.100.7:0", endpoint("198.51.100.7", Some(0))),
            ("2001:db8::7", endpoint("2001:db8::7", None)),
            ("2001:db8::7:443", endpoint("2001:db8::7:443", None)),
            ("[2001:db8::7]", endpoint("2001:db8::7", None)),
            ("[2001:db8::7]:443", endpoint("2001:db8::7", Some(443))),
        ] {
            assert_eq!(text.parse::<Endpoint>(), expected, "{text}");
        }
    }

    #[test]
    fn malformed_endpoints_are_refused() {
        for text in [
            "",
            "localhost",
            "198.51.100.7:",
            "198.51.100.7:65536",
            "198.51.100.7:https",
            "[198.51.100.7]:443",
            "[2001:db8::7",
            "[2001:db8::7]:",
            "[fe80::1%2]:443",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(ParseEndpointError), "{text}");
        }
    }

    #[test]
    fn listen_addresses_are_parsed() {
        assert_eq!("none".parse(), Ok(Listen::Nowhere));
        let at = serve::Endpoint::At((Ipv6Addr::LOCALHOST, 80).into());
        assert_eq!("[::1]:80".parse(), Ok(Listen::At(at)));
        assert_eq!("unix:/a".parse(), Ok(Listen::At(serve::Endpoint::Unix("/a".into()))));
        for text in ["", "9652", ":9652", "localhost:9652", "127.0.0.1"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn instance_names_are_checked() {
        for text in ["default", "a", "Edge-1_b", &"x".repeat(64)] {
            assert_eq!(parse_instance(text).as_deref(), Ok(text));
        }
        for text in ["", ".", "..", "a.b", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(parse_instance(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("1d", 86_400), ("366d", MAX_TIME_SECONDS)]
        {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "m", "0m", "1.5h", "-1m", "30 m", "30min", "367d", "99999999999999999999s", "+3s"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_are_parsed_within_limits() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1s", ""] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
