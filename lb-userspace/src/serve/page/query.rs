//! The part of an instance that a browser asks for.

use std::collections::HashSet;

use crate::observe::list::Order;

/// Services on one page.
pub const SERVICES: usize = 50;

/// Servers of an open service: by default, and at most.
pub const SERVERS: (usize, usize) = (100, 1_000);

/// Maximum number of open services.
const MOST_OPEN: usize = 20;

/// The part of an instance that a browser asks for.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// In lower case; empty matches everything.
    pub filter: String,
    /// The order of services.
    pub order: Order,
    /// The index of the first service among the matching ones.
    pub offset: usize,
    /// The names of services whose servers are asked for.
    pub open: HashSet<String>,
    /// How many servers of each.
    pub servers: Option<usize>,
}

impl PageQuery {
    /// Parses the query part of a URL; unknown keys are ignored.
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "filter" => parsed.filter = value.trim().to_lowercase(),
                "sort" => parsed.order = Order::of(&value).unwrap_or_default(),
                "offset" => parsed.offset = value.parse().unwrap_or_default(),
                "servers" => parsed.servers = value.parse().ok(),
                "open" if parsed.open.len() < MOST_OPEN => drop(parsed.open.insert(value.into_owned())),
                _ => {}
            }
        }
        parsed
    }
}
