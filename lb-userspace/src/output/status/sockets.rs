//! Where a service's sockets are.

use serde::Serialize;

/// Another network namespace than that of the interfaces.
#[derive(Clone, Debug, Serialize)]
pub struct SocketsView {
    /// Its name, path or process, as configured.
    pub netns: String,
    /// The id by which the network namespace of the interfaces knows it; `None`: it was not found.
    pub id: Option<u32>,
}

impl SocketsView {
    /// Text such as `in network namespace blue (id 3)`.
    pub(super) fn render(&self) -> String {
        let Self { netns, id } = self;
        let id = id.map_or_else(|| "not found".to_owned(), |id| format!("id {id}"));
        format!("in network namespace {netns} ({id})")
    }
}
