//! Waits for a moment that may never come.

use tokio::time::{self, Instant};

/// Waits until then; `None`: for ever.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
