//! Where a program runs: in the driver or in the network stack.

use super::refusal::refused;
use crate::{config::model::Role, datapath::error::Result, net::Interface};

/// Where `attach` is to run a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// In the driver if it can, else in the network stack, with a warning.
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// Role `steer`: by a clsact filter, as on kernels without TCX.
    Clsact,
}

/// The mode for a role on an interface.
///
/// Trap: a veth decides whether a packet is for this host before it runs a native program, and not again after it. It
/// would drop packets that the member accepts, as they are addressed to another MAC.
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
