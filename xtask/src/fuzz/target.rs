//! What is fuzzed.

use clap::ValueEnum;

/// Where the targets, their seeds and what was found with them are.
pub const CRATE: &str = "lb-userspace/fuzz";

/// What is fuzzed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Target {
    /// Frames: the datapath's parser against the oracle's
    Parse,
    /// Configuration files
    Config,
    /// Capture files
    Capture,
}

impl Target {
    /// As its seeds, dictionary and binary are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Config => "config",
            Self::Capture => "capture",
        }
    }

    /// The longest input, in bytes: what is longer has nothing that shorter ones cannot have.
    pub const fn max_length(self) -> usize {
        match self {
            Self::Parse => 1_024,
            Self::Config => 4_096,
            Self::Capture => 8_192,
        }
    }
}
