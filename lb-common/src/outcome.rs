//! What happened to a packet, with its reason.
//!
//! One row of the table holds everything about an outcome. The datapath, the messages, the commands and the page read
//! it there.

use core::fmt;

use crate::limits::OUTCOME_COUNTERS;

/// Hands the table of outcomes to the macro `$receive`. The columns of a row:
///
/// 1. variant of [`Outcome`](crate::outcome::Outcome) and name; the order is that of the counters,
/// 2. variants of [`Action`](crate::outcome::Action) and [`Group`](crate::outcome::Group),
/// 3. `rewritten` or `untouched`: whether the frame was written to,
/// 4. the meaning,
/// 5. its message in `modlb logs`: level, text, and the fields of the event that fill the placeholders. The text is a
///    single literal because aya-log accepts nothing else.
#[macro_export]
macro_rules! outcomes {
    ($receive:ident) => {
        $receive! {
            Forwarded "forwarded" Transmit Forwarded rewritten
                "sent to the server"
                debug "forwarded: {} bytes sent to the server" [length];
            Local "local" Pass Forwarded untouched
                "passed to this host, which is the server"
                info "local: the server is this host; {} bytes passed" [length];
            NoServer "no_server" Drop Dropped untouched
                "dropped, no server is up"
                warn "no_server: its service has no server that is up; {} bytes dropped" [length];
            Unreachable "unreachable" Drop Dropped untouched
                "dropped, the server cannot be reached"
                error "unreachable: not sent by interface {} to the server with counter {}: \
the interface is not attached, or the frame has no room for a VLAN tag" [egress counter];
            Standby "standby" Pass Passed untouched
                "passed untouched, this balancer is on standby"
                info "standby: nothing is forwarded; {} bytes passed" [length];
            NotOurs "not_ours" Pass Passed untouched
                "passed untouched, addressed to another host or to a group"
                debug "not_ours: the frame is addressed to somebody else; {} bytes passed" [length];
            NotIp "not_ip" Pass Passed untouched
                "passed untouched, neither IPv4 nor IPv6"
                debug "not_ip: neither IPv4 nor IPv6; {} bytes passed" [length];
            Malformed "malformed" Pass Passed untouched
                "passed untouched, a header is broken or cut off"
                warn "malformed: a header is broken or cut off; {} bytes passed" [length];
            TooManyHeaders "too_many_headers" Pass Passed untouched
                "passed untouched, too many extension headers"
                warn "too_many_headers: more extension headers than are looked through; {} bytes passed" [length];
            Fragment "fragment" Pass Passed untouched
                "passed untouched, a fragment that no service takes"
                info "fragment: no service takes it, though one has its address and protocol; {} bytes passed" [length];
            NoService "no_service" Pass Passed untouched
                "passed untouched, no service matches"
                debug "no_service: no service takes it; {} bytes passed" [length];
            Accepted "accepted" Pass Forwarded rewritten
                "passed to this host, which the formula names"
                debug "accepted: {} bytes are this member's" [length];
            Others "others" Drop Forwarded untouched
                "dropped here, the member that the formula names accepts it"
                debug "others: {} bytes are another member's" [length];
            Answered "answered" Transmit Forwarded rewritten
                "answered with the group's MAC"
                info "answered: the group's MAC was sent to the host that asked; {} bytes" [length];
            Loop "loop" Drop Dropped untouched
                "dropped, a peer sent it and this host is no server of its service"
                warn "loop: a peer sent it, and this host is no server of its service; {} bytes dropped" [length];
            Kept "kept" Pass Forwarded rewritten
                "passed to this host, which holds its connection"
                debug "kept: this host holds the connection; {} bytes passed" [length];
            HandedOn "handed_on" Transmit Forwarded rewritten
                "sent to the next server that may hold its connection"
                debug "handed_on: {} bytes sent to the next server that may hold the connection" [length];
            TakenLast "taken_last" Pass Forwarded untouched
                "passed to this host, no server that may hold its connection does"
                info "taken_last: no server that may hold the connection does; {} bytes passed" [length];
        }
    };
}

macro_rules! define {
    ($(
        $variant:ident $name:literal $action:ident $group:ident $frame:ident
        $meaning:literal
        $level:ident $message:literal [$($field:ident)+];
    )+) => {
        /// What happened to a packet. The number is the index of its counter.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Outcome {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $variant,)+
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

            /// What becomes of the packet.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$variant => Action::$action,)+
                }
            }

            /// Under which of a few totals it is counted.
            pub const fn group(self) -> Group {
                match self {
                    $(Self::$variant => Group::$group,)+
                }
            }

            /// Whether the frame was written to.
            #[inline(always)]
            pub const fn is_rewritten(self) -> bool {
                match self {
                    $(Self::$variant => is_rewritten!($frame),)+
                }
            }

            /// What it means, as a part of a sentence: "dropped, no server is up".
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }
        }
    };
}

macro_rules! is_rewritten {
    (rewritten) => {
        true
    };
    (untouched) => {
        false
    };
}

outcomes!(define);

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It continues as if there were no modlb.
    Pass,
    /// It ends here.
    Drop,
    /// It is sent: to a server, or as an answer.
    Transmit,
}

/// Outcomes that mean the same for the health of a service.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Group {
    /// modlb did its work.
    Forwarded,
    /// Not for a service: left to the kernel.
    Passed,
    /// A packet of a service that reached no server.
    Dropped,
}

impl Group {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Passed => "passed",
            Self::Dropped => "dropped",
        }
    }
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

    /// Whatever is dropped because no server can have it is one of the service's packets, and nothing else is in that
    /// group.
    #[test]
    fn columns_fit_each_other() {
        for outcome in Outcome::ALL {
            match outcome.group() {
                Group::Dropped => assert_eq!(outcome.action(), Action::Drop, "{outcome}"),
                Group::Passed => assert_eq!(outcome.action(), Action::Pass, "{outcome}"),
                Group::Forwarded => {
                    assert!(outcome.action() != Action::Transmit || outcome.is_rewritten(), "{outcome}")
                }
            }
            assert!(outcome.group() == Group::Forwarded || !outcome.is_rewritten(), "{outcome}");
        }
    }

    macro_rules! messages {
        ($(
            $variant:ident $name:literal $action:ident $group:ident $frame:ident
            $meaning:literal
            $level:ident $message:literal [$($field:ident)+];
        )+) => {
            [$((Outcome::$variant, $message, [$(stringify!($field)),+].len()),)+]
        };
    }

    #[test]
    fn messages_begin_with_the_name_and_have_a_field_for_each_placeholder() {
        for (outcome, message, fields) in outcomes!(messages) {
            let text = message.strip_prefix(outcome.name()).and_then(|rest| rest.strip_prefix(": "));
            assert_eq!(text.map(|text| text.matches("{}").count()), Some(fields), "{message}");
        }
    }
}
