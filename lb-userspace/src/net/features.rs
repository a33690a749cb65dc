//! Asks which XDP features a driver has, by the generic netlink family `netdev` (Linux 6.3).
//!
//! Trap: features change while an interface exists. A veth can be a target only while its peer has GRO on or runs a
//! program; some cards can only while they run one themselves. So ask each time, and keep no answer.

use std::io;

use super::{
    error::{Error, Result},
    generic::Generic,
    netlink::Net,
};

/// From `linux/netdev.h`.
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;

/// From `linux/netdev.h`: `NETDEV_XDP_ACT_BASIC`, `_REDIRECT`, `_NDO_XMIT`, `_RX_SG` and `_NDO_XMIT_SG`.
const BASIC: u64 = 1;
const REDIRECT: u64 = 1 << 1;
const NDO_XMIT: u64 = 1 << 2;
const RX_SG: u64 = 1 << 5;
const NDO_XMIT_SG: u64 = 1 << 6;

/// A driver's XDP features.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct XdpFeatures(pub u64);

impl XdpFeatures {
    /// Whether it runs programs at all.
    pub const fn native(self) -> bool {
        self.0 & BASIC != 0
    }

    /// Whether a program on it can redirect frames.
    pub const fn redirects(self) -> bool {
        self.0 & REDIRECT != 0
    }

    /// Whether frames can be redirected to it.
    pub const fn target(self) -> bool {
        self.0 & NDO_XMIT != 0
    }

    /// Whether it hands over frames in several buffers.
    pub const fn several_buffers(self) -> bool {
        self.0 & RX_SG != 0
    }

    /// Whether frames in several buffers can be redirected to it.
    pub const fn target_of_several_buffers(self) -> bool {
        self.0 & NDO_XMIT_SG != 0
    }
}

impl Net {
    /// The XDP features of the interface with this index, as they are now. `None`: the kernel is too old to know.
    ///
    /// # Errors
    ///
    /// There is no such interface, or no answer.
    pub fn xdp_features(&self, interface: u32) -> Result<Option<XdpFeatures>> {
        of(&self.generic, interface).map_err(|source| match source.raw_os_error() {
            Some(libc::ENODEV) => Error::NoInterfaceIndex(interface),
            _ => Error::Request { what: format!("the XDP features of interface {interface}"), source },
        })
    }
}

fn of(generic: &Generic, interface: u32) -> io::Result<Option<XdpFeatures>> {
    // The kernel calls index 0 an invalid argument. No interface has it.
    if interface == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let Some(family) = generic.family(b"netdev\0")? else { return Ok(None) };
    let (command, name) = (NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX);
    let answer = generic.ask(family, command, name, &interface.to_ne_bytes(), NETDEV_A_DEV_XDP_FEATURES)?;
    Ok(answer.and_then(|bits| Some(XdpFeatures(u64::from_ne_bytes(bits.get(..8)?.try_into().ok()?)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loopback_runs_no_program_natively() {
        let net = Net::open().unwrap();
        let Some(features) = net.xdp_features(1).unwrap() else { return };
        assert_eq!(features, XdpFeatures(0));
        for index in [0, 0x7fff_ffff] {
            let missing = net.xdp_features(index).unwrap_err();
            assert!(matches!(missing, Error::NoInterfaceIndex(culprit) if culprit == index), "{missing}");
        }
        // An error leaves no answer behind that the next question would read.
        assert_eq!(net.xdp_features(1).unwrap(), Some(features));
    }
}
