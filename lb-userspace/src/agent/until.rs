//! Waiting for a moment that may not come.

use tokio::time::{self, Instant};

/// Waits until then; `None`: for good.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
