//! DESIGN.md, 5: why a packet goes to no server.

/// With the number of its counter (`lb-common/src/outcome.rs`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    Standby = 4,
    NotOurs = 5,
    NotIp = 6,
    Malformed = 7,
    TooManyHeaders = 8,
    NoService = 10,
}
