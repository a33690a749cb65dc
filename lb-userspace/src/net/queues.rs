//! What drivers need of their queues in order to run programs natively, and how queues are set.
//!
//! A program sends by queues of its own on most cards. Drivers differ in where these come from: some take them out of
//! the same number as the others, so that more queues for receiving switch native mode off. Each rule names the
//! kernel's file that has it.

use std::io;

use super::{
    ethtool::{Channels, Ethtool},
    shell::quoted,
};

/// How a driver's queues are numbered by `ethtool -L`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Setting {
    /// One number for queues that receive and send.
    Combined,
    /// A number of queues that receive.
    Receive,
    /// Two numbers, which have to be equal.
    ReceiveAndSend,
}

/// What happens with more queues than the rule allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beyond {
    /// The driver refuses native programs.
    Refused,
    /// It runs them, but they share queues to send by, and wait for each other.
    Shared,
}

/// The most queues with which a driver runs programs natively, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit {
    /// The number of queues that receive.
    pub most: u32,
    /// What more of them lead to.
    pub beyond: Beyond,
    /// Why there is a limit.
    pub why: &'static str,
}

/// The queues of an interface, and the driver that has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Queues {
    driver: String,
    channels: Channels,
}

/// Drivers of virtual interfaces: nothing happens to a link when they get a program, or they run none natively.
const VIRTUAL: [&str; 10] =
    ["veth", "tun", "virtio_net", "netdevsim", "bridge", "dummy", "ifb", "macvlan", "ipvlan", "802.1Q VLAN Support"];

/// Whether a driver may set up its queues anew for the first program, while the link is down. This is assumed of all
/// cards: i40e, ixgbe and ice reset themselves; `mlx5e_xdp_set`, `bnxt_xdp_set` and `ena_xdp_set` close and open.
pub fn may_flap(driver: &str) -> bool {
    !VIRTUAL.contains(&driver)
}

impl Queues {
    /// Those with these numbers.
    pub fn new(driver: &str, channels: Channels) -> Self {
        Self { driver: driver.to_owned(), channels }
    }

    /// Reads those of an interface of the current network namespace.
    ///
    /// # Errors
    ///
    /// The driver does not report them.
    pub fn read(interface: &str) -> io::Result<Self> {
        let ethtool = Ethtool::new(interface)?;
        Ok(Self { driver: ethtool.driver()?, channels: ethtool.channels()? })
    }

    fn setting(&self) -> Setting {
        match (self.driver.as_str(), self.channels.max_combined) {
            ("gve" | "nicvf", _) => Setting::ReceiveAndSend,
            (_, 0) => Setting::Receive,
            _ => Setting::Combined,
        }
    }

    /// How many queues receive.
    pub const fn receiving(&self) -> u32 {
        self.channels.rx + self.channels.combined
    }

    /// How many could.
    pub fn possible(&self) -> u32 {
        match self.setting() {
            Setting::Combined => self.channels.max_combined,
            Setting::Receive => self.channels.max_rx,
            Setting::ReceiveAndSend => self.channels.max_rx.min(self.channels.max_tx),
        }
    }

    /// The driver's limit on a machine with this number of CPUs; `None`: it has none.
    pub fn limit(&self, cpus: u32) -> Option<Limit> {
        use Beyond::{Refused, Shared};
        let possible = self.possible();
        let limit = |most: u32, beyond, why| Some(Limit { most: most.max(1), beyond, why });
        match self.driver.as_str() {
            // drivers/net/ethernet/amazon/ena/ena_xdp.h: `ena_xdp_legal_queue_count`; beyond, `ena_set_channels` also
            // clears the feature. (Amazon's own driver has no such limit since 2.17.)
            "ena" => limit(possible / 2, Refused, "half of the possible queues are kept for what programs send"),
            // drivers/net/ethernet/google/gve/gve_main.c: `verify_xdp_configuration`.
            "gve" => limit(
                possible / 2,
                Refused,
                "half of the possible queues are kept for what programs send, and as many have to receive as send",
            ),
            // drivers/net/ethernet/cavium/thunder/nicvf_main.c: `nicvf_xdp_setup`.
            "nicvf" => limit(possible / 2, Refused, "receiving and sending queues share one number"),
            // drivers/net/ethernet/broadcom/bnxt/bnxt_xdp.c: `bnxt_xdp_set` needs another sending ring for each that
            // receives.
            "bnxt_en" => limit(possible / 2, Refused, "each queue needs another ring for what programs send"),
            // drivers/net/ethernet/intel/ixgbe/ixgbe_lib.c: a ring for each CPU besides the queues;
            // drivers/net/ethernet/intel/i40e/i40e_main.c: `i40e_vsi_reinit_setup` takes both from one pile.
            "ixgbe" | "i40e" => {
                limit(possible.saturating_sub(cpus), Refused, "each CPU needs another queue for what programs send")
            }
            // drivers/net/virtio_net.c: `virtnet_xdp_set`.
            "virtio_net" if possible > cpus => {
                limit(possible - cpus, Shared, "each CPU needs another queue for what programs send")
            }
            // With fewer, they are shared in any case. drivers/net/ethernet/intel/ice/ice_main.c takes rings from a
            // separate pile (`ice_vsi_determine_xdp_res`), igb and igc send by the queues that there are, and mlx5 has
            // a queue in each channel.
            _ => None,
        }
    }

    /// The limit, if more queues than that make the driver refuse native programs.
    pub fn excess(&self, cpus: u32) -> Option<Limit> {
        let unequal = self.driver == "gve" && self.channels.rx != self.channels.tx;
        self.limit(cpus).filter(|limit| limit.beyond == Beyond::Refused && (self.receiving() > limit.most || unequal))
    }

    /// Whether the driver refuses to change queues while a program is attached (`virtnet_set_channels`).
    pub fn frozen_by_program(&self) -> bool {
        self.driver == "virtio_net"
    }

    /// The command that sets this number of queues.
    pub fn set(&self, interface: &str, number: u32) -> String {
        let interface = quoted(interface);
        match self.setting() {
            Setting::Combined => format!("ethtool -L {interface} combined {number}"),
            Setting::Receive => format!("ethtool -L {interface} rx {number}"),
            Setting::ReceiveAndSend => format!("ethtool -L {interface} rx {number} tx {number}"),
        }
    }

    /// Why the driver refuses native programs, if it is for want of queues, and what helps. `no_space`: it says that
    /// there is no space left, as a veth does (drivers/net/veth.c: `veth_xdp_set`).
    pub fn refusal(&self, interface: &str, cpus: u32, no_space: bool) -> Option<String> {
        if let Some(limit) = self.excess(cpus) {
            return Some(format!(
                "its driver {} runs programs natively with at most {} queues, it has {}, as {}; `{}`",
                self.driver,
                limit.most,
                self.receiving(),
                limit.why,
                self.set(interface, limit.most)
            ));
        }
        let (have, most) = (self.channels.rx, self.channels.max_rx);
        if !no_space || self.driver != "veth" {
            return None;
        }
        let cure = if have < most { format!("`{}`, or ", self.set(interface, most)) } else { String::new() };
        Some(format!(
            "a veth runs programs natively only if it has a queue that receives for each on which its peer sends, and it has \
             {have}; {cure}`ethtool -L PEER tx {have}` where the peer is"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(driver: &str, combined: u32, max_combined: u32) -> Queues {
        Queues::new(driver, Channels { combined, max_combined, ..Channels::default() })
    }

    fn separate(driver: &str, rx: u32, tx: u32, most: u32) -> Queues {
        Queues::new(driver, Channels { rx, tx, max_rx: most, max_tx: most, ..Channels::default() })
    }

    #[test]
    fn half_of_the_queues_of_cloud_cards() {
        for driver in ["ena", "bnxt_en"] {
            assert_eq!(combined(driver, 4, 8).excess(64), None, "{driver}");
            let too_many = combined(driver, 5, 8);
            assert_eq!(too_many.excess(64).unwrap().most, 4, "{driver}");
            let text = too_many.refusal("eth0", 64, false).unwrap();
            assert!(text.contains(driver) && text.contains("at most 4") && text.contains("it has 5"), "{text}");
            assert!(text.ends_with("`ethtool -L eth0 combined 4`"), "{text}");
        }
        for driver in ["gve", "nicvf"] {
            assert_eq!(separate(driver, 4, 4, 8).excess(64), None, "{driver}");
            let text = separate(driver, 8, 8, 8).refusal("eth0", 64, false).unwrap();
            assert!(text.ends_with("`ethtool -L eth0 rx 4 tx 4`"), "{text}");
        }
        assert!(separate("gve", 4, 3, 8).excess(64).is_some());
        // Never none at all.
        assert_eq!(combined("ena", 1, 1).limit(8).unwrap().most, 1);
    }

    #[test]
    fn a_queue_for_each_cpu_besides() {
        for driver in ["ixgbe", "i40e"] {
            assert_eq!(combined(driver, 8, 64).excess(16), None, "{driver}");
            assert_eq!(combined(driver, 49, 64).excess(16).unwrap().most, 48, "{driver}");
        }
        // With virtio nothing is refused.
        assert_eq!(combined("virtio_net", 16, 16).excess(8), None);
        assert_eq!(combined("virtio_net", 16, 16).limit(8).unwrap().most, 8);
        assert_eq!(combined("virtio_net", 4, 4).limit(8), None);
    }

    #[test]
    fn other_drivers_take_all() {
        for driver in ["ice", "mlx5_core", "igb", "veth", "no-such"] {
            assert_eq!(combined(driver, 64, 64).limit(64), None, "{driver}");
            assert_eq!(combined(driver, 64, 64).refusal("eth0", 64, false), None, "{driver}");
        }
    }

    #[test]
    fn a_veth_needs_as_many_as_its_peer_sends_on() {
        let text = separate("veth", 1, 1, 4).refusal("a b", 2, true).unwrap();
        assert!(text.contains("`ethtool -L 'a b' rx 4`, or `ethtool -L PEER tx 1`"), "{text}");
        let text = separate("veth", 4, 4, 4).refusal("eth0", 2, true).unwrap();
        assert!(text.contains("has 4; `ethtool -L PEER tx 4` where"), "{text}");
    }

    #[test]
    fn only_cards_may_flap() {
        assert!(may_flap("i40e") && may_flap("ixgbe") && may_flap("mlx5_core") && may_flap("no-such"));
        assert!(!may_flap("veth") && !may_flap("virtio_net") && !may_flap("tun"));
    }
}
