//! Fuzz targets for modlb's parsers of untrusted input.
//!
//! Trap: everything that a target links is instrumented, and with all that the command links (an asynchronous runtime,
//! netlink, the loader) a fuzzer takes minutes to build. So the parsers' sources are compiled again here, unchanged and
//! without the rest, which they must not depend on. Their unit tests run in their own crate.

#![cfg(not(test))]

/// The parts of user space that read untrusted input.
#[path = "../../src"]
mod user_space {
    pub mod config;
    /// Captures.
    pub mod replay {
        pub mod capture;
    }
    /// Pure functions of a configuration.
    pub mod decide {
        pub mod slots;
    }
}

mod oracle;
pub mod targets;

// The sources import these from the crate's root.
pub use user_space::{config, decide, replay};
