//! A member's settings in the file ↔ the model.

use std::net::IpAddr;

use lb_common::mac::Mac;
use serde::{Deserialize, Serialize};

/// `self`: one address or several.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "self is an address such as \"10.0.0.11\", or a list of them")]
pub(super) enum FileSelf {
    One(String),
    Several(Vec<String>),
}

impl FileSelf {
    /// The simplest way of writing the addresses; `None`: the key is left out.
    pub fn from_addresses(addresses: &[IpAddr]) -> Option<Self> {
        match addresses {
            [] => None,
            [address] => Some(Self::One(address.to_string())),
            several => Some(Self::Several(several.iter().map(ToString::to_string).collect())),
        }
    }

    /// The addresses. Text that is not an address is reported.
    pub fn addresses(self, report: &mut impl FnMut(String)) -> Vec<IpAddr> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        };
        let parsed = texts
            .into_iter()
            .map(|text| text.parse().map_err(|_| report(format!("self {text:?} is not an IP address"))).ok());
        parsed.collect::<Vec<Option<_>>>().into_iter().flatten().collect()
    }
}

/// The group's MAC. Text that is not a MAC is reported.
pub(super) fn mac(text: Option<String>, report: &mut impl FnMut(String)) -> Option<Mac> {
    let text = text?;
    text.parse().map_err(|error| report(format!("group_mac {text:?} is {error}"))).ok()
}
