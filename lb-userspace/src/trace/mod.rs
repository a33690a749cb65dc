//! What happens to each packet, reported by the programs while a trace runs.
//!
//! ```text
//! session    programs swapped in and out            watchdog  swaps them out when the command ends
//! query      which packets to trace                 names     services and servers as they were called
//! packet     what a program recorded of a packet     frame     what the frame itself shows
//! clock      the kernel's time as wall-clock time   pcapng    a capture for Wireshark
//! ```

pub mod clock;
pub mod frame;
pub mod names;
pub mod packet;
pub mod pcapng;
pub mod query;
pub mod session;
pub mod watchdog;
