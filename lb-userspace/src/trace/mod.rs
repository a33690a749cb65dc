//! What happened to which packet, told by the programs while somebody watches.
//!
//! ```text
//! session    programs swapped in and out again      guard   swaps out when the command is killed
//! wanted     which packets are told of              names   what services and servers were called
//! event      an event as the program wrote it       frame   what can be read from the frame itself
//! clock      the kernel's time on the wall          pcapng  a capture for Wireshark
//! ```

pub mod clock;
pub mod event;
pub mod frame;
pub mod guard;
pub mod names;
pub mod pcapng;
pub mod session;
pub mod wanted;
