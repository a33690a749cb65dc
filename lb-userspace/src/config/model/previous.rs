//! A server list that a service had before.

use std::{fmt, net::IpAddr, str::FromStr};

use lb_common::mac::Mac;

use super::{
    health::Health,
    server::{Server, ServerMac, State},
};

/// A server of an earlier list, as that list had it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PreviousServer {
    /// Of the service's address family.
    pub address: IpAddr,
    /// The MAC that it was given; `None`: it was resolved.
    pub mac: Option<Mac>,
    /// How many consecutive slots it had; at least 1.
    pub weight: u32,
    /// It took no flows then.
    pub idle: bool,
}

/// The text is not a [`PreviousServer`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParsePreviousError {
    /// The first word.
    #[error("{0:?} is not an IP address")]
    Address(String),
    /// The word after `weight`, if there is one.
    #[error("weight {0:?} is not a number from 1 to 65536")]
    Weight(String),
    /// The word after `mac`, if there is one.
    #[error("mac {0:?} is not a MAC address")]
    Mac(String),
    /// Any other word.
    #[error("{0:?} is not known; write ADDRESS, then `weight WEIGHT`, `mac MAC` or `down`")]
    Word(String),
}

impl PreviousServer {
    /// The server as role `keep` needs it: without slots.
    pub fn as_former(&self) -> Server {
        Server {
            address: self.address,
            mac: self.mac.map_or(ServerMac::Unresolved, ServerMac::Given),
            vlan: None,
            weight: 0,
            state: State::Up,
            health: Health::default(),
        }
    }
}

impl FromStr for PreviousServer {
    type Err = ParsePreviousError;

    /// Reads text such as `10.0.0.12 weight 2 mac 02:00:00:00:00:12 down`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let address = words.next().unwrap_or_default();
        let address = address.parse().map_err(|_| ParsePreviousError::Address(address.to_owned()))?;
        let mut server = Self { address, mac: None, weight: 1, idle: false };
        while let Some(word) = words.next() {
            match word {
                "down" => server.idle = true,
                "weight" => server.weight = weight(words.next().unwrap_or_default())?,
                "mac" => {
                    let mac = words.next().unwrap_or_default();
                    server.mac = Some(mac.parse().map_err(|_| ParsePreviousError::Mac(mac.to_owned()))?);
                }
                other => return Err(ParsePreviousError::Word(other.to_owned())),
            }
        }
        Ok(server)
    }
}

fn weight(text: &str) -> Result<u32, ParsePreviousError> {
    let weight = text.parse().ok().filter(|weight| (1..=65_536).contains(weight));
    weight.ok_or_else(|| ParsePreviousError::Weight(text.to_owned()))
}

impl fmt::Display for PreviousServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, mac, weight, idle } = self;
        write!(f, "{address}")?;
        if *weight != 1 {
            write!(f, " weight {weight}")?;
        }
        if let Some(mac) = mac {
            write!(f, " mac {mac}")?;
        }
        if *idle { f.write_str(" down") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_as_they_are_read() {
        for text in
            ["10.0.0.11", "10.0.0.12 weight 2", "2001:db8::13 down", "10.0.0.14 weight 3 mac 02:00:00:00:00:14 down"]
        {
            assert_eq!(text.parse::<PreviousServer>().unwrap().to_string(), text);
        }
        for text in ["", "down", "10.0.0.300", "10.0.0.1 weight", "10.0.0.1 weight 0", "10.0.0.1 mac 02", "10.0.0.1 up"]
        {
            text.parse::<PreviousServer>().unwrap_err();
        }
    }
}
