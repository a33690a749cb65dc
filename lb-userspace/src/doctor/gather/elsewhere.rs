//! Another network namespace.

use std::thread;

use crate::net::namespaces;

/// Runs `work` in another network namespace, on a new thread.
pub fn elsewhere<T: Send>(netns: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let entered = scope.spawn(|| namespaces::enter(netns).ok().map(|()| work()));
        entered.join().ok()?
    })
}
