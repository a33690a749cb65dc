//! Where programs run.

use super::refusal::refused;
use crate::{config::model::Role, datapath::error::Result, net::Interface};

/// Where a program is to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// In the driver if it can, else in the network stack, with a warning.
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// Of role `steer`: as on kernels without TCX.
    Clsact,
}

/// Where a role's program runs.
///
/// Trap: a veth's end decides whom a packet is for before it runs a program natively, and never again. What a member
/// accepts would be dropped as somebody else's.
pub(in crate::datapath) fn mode_of(role: Role, interface: &Interface, mode: Mode) -> Result<Mode> {
    match (role, mode) {
        (Role::Member, Mode::Auto) if interface.veth => Ok(Mode::Generic),
        (Role::Member, Mode::Native) if interface.veth => Err(refused(
            interface,
            "a veth that runs a member's program natively drops what the member accepts; use `--mode generic`, or auto",
        )),
        (Role::Balancer | Role::Member, Mode::Clsact) => {
            Err(refused(interface, "clsact is for role steer; leave out `--clsact`"))
        }
        _ => Ok(mode),
    }
}
