//! The exit status of a command that ends without an error message.

/// Ends the command with this exit status. The output has said everything.
#[derive(Debug, thiserror::Error)]
#[error("exit status {0}")]
pub struct ExitStatus(pub u8);
