//! Loads, attaches, replaces and detaches programs on interfaces.
//!
//! ```text
//! object    the object files: writes tables and constants into them    program    attach, replace, detach
//! load      loads them with the instance's maps                        variant    one buffer for a frame, or several
//! names     what programs are called                                   tc         attaching to traffic control
//! mode      where programs run                                         pass       the program that passes everything
//! kernel_types  where the running kernel has a field of its types
//! link      what the kernel knows about a pinned link                  devices    interfaces to redirect to
//! nic       ioctls on an interface                                     nic_state  settings that do not end with a link
//! ports     the attached interfaces, as recorded and as they are       refusal    why the kernel refused, for messages
//! ```

pub(super) mod devices;
mod kernel_types;
pub(super) mod link;
pub(super) mod load;
mod mode;
pub(super) mod names;
mod nic;
pub(super) mod nic_state;
pub(super) mod object;
mod pass;
pub(super) mod ports;
pub(super) mod program;
mod refusal;
pub(super) mod tc;
pub(super) mod variant;

pub use link::{Holder, Link};
pub use mode::Mode;
pub use pass::{link_programs, pass};
pub use ports::{Misfit, Port, PortMode, PortState, attached, ports};
pub use program::Attached;
