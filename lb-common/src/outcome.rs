//! What happened to a packet, with its reason.

use core::fmt;

use crate::limits::OUTCOME_COUNTERS;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What happened to a packet. The number is the index of its counter.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Outcome {
            $($(#[$doc])* $variant,)+
        }

        impl Outcome {
            /// Every outcome, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name that commands, metrics and documents use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

outcomes! {
    /// Sent to the server that the formula names.
    Forwarded = "forwarded",
    /// Passed: the chosen server is this host.
    Local = "local",
    /// Dropped: the service has no server that is up.
    NoServer = "no_server",
    /// Dropped: the chosen server cannot be reached: its interface is not attached any more, or the frame has no room for
    /// the VLAN tag that it needs.
    Unreachable = "unreachable",
    /// Passed: this balancer is on standby.
    Standby = "standby",
    /// Passed: the frame is addressed to another host, or to a group.
    NotOurs = "not_ours",
    /// Passed: neither IPv4 nor IPv6.
    NotIp = "not_ip",
    /// Passed: a header is broken or cut off.
    Malformed = "malformed",
    /// Passed: more extension headers than are looked through.
    TooManyHeaders = "too_many_headers",
    /// Passed: a fragment that no service takes, though one has its address and protocol.
    Fragment = "fragment",
    /// Passed: no service matches.
    NoService = "no_service",
    /// Passed, addressed to this host: the formula names this member.
    Accepted = "accepted",
    /// Dropped: the formula names another member, which accepts it.
    Others = "others",
    /// Answered: somebody asked for the MAC of a service's address, which is the group's.
    Answered = "answered",
}

impl Outcome {
    /// How many outcomes there are.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// The index of the outcome's counter.
    pub const fn index(self) -> u32 {
        self as u32
    }
}

const _: () = assert!(Outcome::COUNT <= OUTCOME_COUNTERS);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_names_unique() {
        for (index, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(outcome.index() as usize, index);
            assert!(Outcome::ALL.iter().filter(|other| other.name() == outcome.name()).count() == 1);
        }
    }
}
