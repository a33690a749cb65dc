//! Fuzz targets: what comes from outside meets modlb's parsers.
//!
//! Trap: everything that a target uses is instrumented, and a fuzzer of all that the command links (an asynchronous
//! runtime, netlink, the loader) takes minutes to build. So the parsers' sources are compiled here once more, as they
//! stand, without the rest; they need nothing of it, and must not. Their own tests run where they belong.

#![cfg(not(test))]

/// What of user space reads what comes from outside.
#[path = "../../src"]
mod user_space {
    pub mod config;
    /// Captures.
    pub mod replay {
        pub mod capture;
    }
    /// What is computed from a configuration.
    pub mod decide {
        pub mod slots;
    }
}

mod oracle;
pub mod targets;

// Where the sources themselves look for them.
pub use user_space::{config, decide, replay};
