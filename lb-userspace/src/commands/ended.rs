//! A command that ends with an exit status and without a message.

/// A command that has said all there is to say and ends with this exit status.
#[derive(Debug, thiserror::Error)]
#[error("exit status {0}")]
pub struct Ended(pub u8);
