//! DESIGN.md, 5, and ARCHITECTURE.md, "The service table": how the service of a flow is found.

mod address;
pub mod cell;
pub mod few;
mod filter;
pub mod hash;
mod key;
mod longest;
mod prefix;
mod probe;

use crate::specification::call::Rule;

/// Of functions that take and return numbers: an address in two halves, the lookup key ([`key`]), the control word.
pub const RULES: [Rule; 6] = [
    probe::RULE,
    address::SEARCH_ADDRESS,
    address::SEARCH,
    prefix::SEARCH_LENGTH,
    prefix::SEARCH_PREFIX,
    longest::RULE,
];
