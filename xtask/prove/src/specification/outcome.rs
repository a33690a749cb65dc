//! DESIGN.md, 5: why a packet is not forwarded.

/// With the number of its counter (`lb-common/src/outcome.rs`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    Local = 1,
    NoServer = 2,
    Unreachable = 3,
    Standby = 4,
    NotOurs = 5,
    NotIp = 6,
    Malformed = 7,
    TooManyHeaders = 8,
    Fragment = 9,
    NoService = 10,
    Loop = 14,
}

impl Outcome {
    /// Only packets of a service are dropped; all others pass.
    pub const fn is_dropped(self) -> bool {
        matches!(self, Self::NoServer | Self::Unreachable | Self::Loop)
    }
}
