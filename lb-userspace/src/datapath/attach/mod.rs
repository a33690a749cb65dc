//! Loads, attaches, replaces and detaches programs on interfaces.
//!
//! ```text
//! object    the object files: writes tables and constants into them    program    attach, replace, detach
//! load      loads them with the instance's maps                        variant    one buffer for a frame, or several
//! names     what programs are called                                   egress     attaching to egress
//! mode      where programs run                                         pass       the program that passes everything
//! link      what the kernel knows about a pinned link                  devices    interfaces to redirect to
//! nic       ioctls on an interface                                     nic_state  settings that do not end with a link
//! attached  the interfaces of an instance                              refusal    why the kernel refused, for messages
//! ```

mod attached;
pub(super) mod devices;
pub(super) mod egress;
pub(super) mod link;
pub(super) mod load;
mod mode;
pub(super) mod names;
mod nic;
pub(super) mod nic_state;
pub(super) mod object;
mod pass;
mod program;
mod refusal;
pub(super) mod variant;

pub use attached::attached;
pub use link::{Holder, Link};
pub use mode::Mode;
pub use pass::{link_programs, pass};
pub use program::Attached;
