//! What programs are called in the object files.
//!
//! Trap: the kernel keeps 15 bytes of a name, so a variant must differ from the others within them.

use crate::config::model::Role;

/// The program of role `balancer`.
pub(in crate::datapath) const BALANCER: &str = "balancer";

/// The program of role `member`.
pub(in crate::datapath) const MEMBER: &str = "member";

/// The program that takes every packet as it comes.
pub(in crate::datapath) const PASS: &str = "pass";

/// The program of role `steer`.
pub(in crate::datapath) const STEER: &str = "steer";

/// What the names of programs start with that trace packets: those that emit events, and those that log messages.
pub(in crate::datapath) const TRACING: [&str; 2] = ["trace_", "log_"];

/// What the name of the variant for frames in several buffers ends with.
const FRAGS: &str = "_frags";

/// The XDP program of a role; `None`: its program is not one of XDP.
pub(in crate::datapath) const fn xdp_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Balancer => Some(BALANCER),
        Role::Member => Some(MEMBER),
        Role::Steer => None,
    }
}

/// The program of this name, or its variant for several buffers.
pub(in crate::datapath) fn variant(program: &str, several: bool) -> String {
    if several { format!("{program}{FRAGS}") } else { program.to_owned() }
}

/// Whether a program of this name takes frames in several buffers.
pub(in crate::datapath) fn takes_several(name: &str) -> bool {
    name.ends_with(FRAGS)
}

/// Whether a program of this name traces packets.
pub(in crate::datapath) fn traces(name: &str) -> bool {
    TRACING.iter().any(|prefix| name.starts_with(prefix))
}
