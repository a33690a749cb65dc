//! What must not happen, and did.

use std::sync::{Arc, Mutex};

/// What has been violated; the first counts.
#[derive(Clone, Default)]
pub struct Violations(Arc<Mutex<Vec<String>>>);

impl Violations {
    pub fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    pub fn first(&self) -> Option<String> {
        self.0.lock().unwrap().first().cloned()
    }
}
