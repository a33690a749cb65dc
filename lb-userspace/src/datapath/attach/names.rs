//! The names of programs in the object files.
//!
//! Trap: the kernel keeps 15 bytes of a name, so variants must differ within them.

use crate::config::model::Role;

/// The program of role `balancer`.
pub(in crate::datapath) const BALANCER: &str = "balancer";

/// The program of role `member`.
pub(in crate::datapath) const MEMBER: &str = "member";

/// The program that passes every packet.
pub(in crate::datapath) const PASS: &str = "pass";

/// The program of role `steer`.
pub(in crate::datapath) const STEER: &str = "steer";

/// The prefixes of traced programs: of those that emit events, and of those that log messages.
pub(in crate::datapath) const TRACING: [&str; 2] = ["trace_", "log_"];

/// The suffix of the variant for frames in several buffers.
const FRAGS: &str = "_frags";

/// The XDP program of a role; `None`: its program is not an XDP program.
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
pub(in crate::datapath) fn is_multi_buffer(name: &str) -> bool {
    name.ends_with(FRAGS)
}

/// Whether a program of this name is a traced one.
pub(in crate::datapath) fn is_traced(name: &str) -> bool {
    TRACING.iter().any(|prefix| name.starts_with(prefix))
}
