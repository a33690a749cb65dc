//! The names of programs in the object files.
//!
//! Trap: the kernel keeps 15 bytes of a name, so variants must differ within them.

use aya::programs::TcAttachType;

use crate::config::model::Role;

/// The program of role `balancer`.
pub(in crate::datapath) const BALANCER: &str = "balancer";

/// The program of role `member`.
pub(in crate::datapath) const MEMBER: &str = "member";

/// The program that passes every packet.
pub(in crate::datapath) const PASS: &str = "pass";

/// A program of traffic control.
#[derive(Clone, Copy, Debug)]
pub(in crate::datapath) struct TcProgram {
    /// Its name.
    pub name: &'static str,
    /// Which packets of an interface it is given.
    pub hook: TcAttachType,
}

/// A role's program in one of its variants.
#[derive(Clone, Debug)]
pub(in crate::datapath) enum RoleProgram {
    /// By XDP.
    Xdp(String),
    /// By traffic control, of which there is one variant.
    Tc(TcProgram),
}

impl RoleProgram {
    /// The program of a role, for frames in several buffers if `several`.
    pub fn of(role: Role, several: bool) -> Self {
        match role {
            Role::Balancer => Self::Xdp(variant(BALANCER, several)),
            Role::Member => Self::Xdp(variant(MEMBER, several)),
            Role::Steer => Self::Tc(TcProgram { name: "steer", hook: TcAttachType::Egress }),
            Role::Keep => Self::Tc(TcProgram { name: "keep", hook: TcAttachType::Ingress }),
        }
    }
}

/// The prefixes of traced programs: of those that emit events, and of those that log messages.
pub(in crate::datapath) const TRACING: [&str; 2] = ["trace_", "log_"];

/// The suffix of the variant for frames in several buffers.
const FRAGS: &str = "_frags";

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
