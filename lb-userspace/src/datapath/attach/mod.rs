//! Programs on interfaces: loaded, attached, replaced, detached.
//!
//! ```text
//! attached  the interfaces of an instance
//! object    the object file, with tables and numbers written into it    program   attach, replace, detach
//! load      the object file with the instance's maps                    variant   one buffer for a frame, or several
//! names     what programs are called                                    egress    the same for what a host sends
//! mode      where programs run                                          pass      the program that passes everything
//! link      what the kernel knows of a pinned link                      devices   interfaces to redirect to
//! nic       an interface's settings                                     nic_state what is held of them beside links
//! refusal   why the kernel refused, for error messages
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
