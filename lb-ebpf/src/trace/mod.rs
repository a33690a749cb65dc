//! Observers that record packets and emit them: as events to `modlb trace`, as messages to `modlb logs`.

pub mod events;
mod maps;
pub mod messages;
pub mod recorder;
