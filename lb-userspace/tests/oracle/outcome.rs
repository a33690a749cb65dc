//! The possible outcomes, named as in the design; counters are compared by these names.

use std::fmt;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    Forwarded,
    Local,
    Accepted,
    Others,
    NotOurs,
    NotIp,
    Malformed,
    TooManyHeaders,
    Fragment,
    NoService,
    NoServer,
    Loop,
}

impl Outcome {
    pub const ALL: [Self; 12] = [
        Self::Forwarded,
        Self::Local,
        Self::Accepted,
        Self::Others,
        Self::NotOurs,
        Self::NotIp,
        Self::Malformed,
        Self::TooManyHeaders,
        Self::Fragment,
        Self::NoService,
        Self::NoServer,
        Self::Loop,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Local => "local",
            Self::Accepted => "accepted",
            Self::Others => "others",
            Self::NotOurs => "not_ours",
            Self::NotIp => "not_ip",
            Self::Malformed => "malformed",
            Self::TooManyHeaders => "too_many_headers",
            Self::Fragment => "fragment",
            Self::NoService => "no_service",
            Self::NoServer => "no_server",
            Self::Loop => "loop",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
