//! What of an instance a browser wants to see.

use std::collections::HashSet;

use crate::observe::list::Order;

/// Services on a page of the list.
pub const SERVICES: usize = 50;

/// Servers of an open service that are sent at first, and at most.
pub const SERVERS: (usize, usize) = (100, 1_000);

/// The most services that can be open.
const MOST_OPEN: usize = 20;

/// What of an instance a browser wants to see.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// In small letters; empty: everything.
    pub filter: String,
    /// The order of services.
    pub order: Order,
    /// The first service of those that match.
    pub offset: usize,
    /// The names of services whose servers are wanted.
    pub open: HashSet<String>,
    /// How many servers of each.
    pub servers: Option<usize>,
}

impl PageQuery {
    /// By the part of an address after `?`; what is not known is not heeded.
    pub fn parse(query: &str) -> Self {
        let mut wanted = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "filter" => wanted.filter = value.trim().to_lowercase(),
                "sort" => wanted.order = Order::of(&value).unwrap_or_default(),
                "offset" => wanted.offset = value.parse().unwrap_or_default(),
                "servers" => wanted.servers = value.parse().ok(),
                "open" if wanted.open.len() < MOST_OPEN => drop(wanted.open.insert(value.into_owned())),
                _ => {}
            }
        }
        wanted
    }
}
