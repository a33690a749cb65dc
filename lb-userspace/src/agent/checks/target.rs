//! What is checked, and what comes of it.

use std::sync::Arc;

use crate::{
    config::model::{Check, Failing, Failure},
    observe::agent_view::ServerKey,
};

/// A server to check.
#[derive(Clone, Debug)]
pub struct Target {
    /// The service and the server.
    pub key: ServerKey,
    /// The check.
    pub check: Arc<Check>,
    /// The port; 0 for an echo request.
    pub port: u16,
    /// Since when and why it has been failing, if it already is.
    pub failing: Option<Failing>,
}

/// A server has begun to pass, or to fail.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The service and the server.
    pub key: ServerKey,
    /// Why it fails; `None`: it passes.
    pub failure: Option<Failure>,
}
