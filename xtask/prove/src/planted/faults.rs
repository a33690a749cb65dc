//! Faults to plant. They are described by what an instruction does, not by its number, so that most of them fit the
//! next build as well; one that fits nothing is an error.

use super::patterns::{
    FITS, FITS6, FRAGMENT, FULL, KIND, VRRP, calculates, compares, loads, loads_constant, loads_symbol, stores,
};
use crate::insn::{Alu, Insn, Operation, Test};

/// Which function is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Where {
    Fast,
    General,
    /// A function that the general path calls, by a part of its name.
    Called(&'static str),
    /// One with a contract, by the contract's name.
    Function(&'static str),
}

use Where::{Fast, General};

/// A fault: in the function, the instruction that fits (counted from 0) is changed.
pub struct Fault {
    pub name: &'static str,
    pub place: Where,
    /// Only in this program.
    pub program: Option<&'static str>,
    pub fits: fn(&Insn, Operation) -> bool,
    pub count: usize,
    pub change: fn(&mut Insn),
}

pub const fn fault(
    name: &'static str,
    place: Where,
    fits: fn(&Insn, Operation) -> bool,
    count: usize,
    change: fn(&mut Insn),
) -> Fault {
    Fault { name, place, program: None, fits, count, change }
}

/// The one that is planted to see whether the kernel tells programs apart.
pub const EXAMPLE: &str = "no service is counted as something else";

pub const FAULTS: [Fault; 59] = [
    fault("ports are read four bytes too early", Fast, |i, o| loads(i, o, 4, 34), 0, |i| i.off = 30),
    fault("IPv6 ports are read from elsewhere", Fast, |i, o| loads(i, o, 4, 54), 0, |i| i.off = 50),
    fault("the source address is read for the destination", Fast, |i, o| loads(i, o, 4, 30), 0, |i| i.off = 26),
    fault("the frame's length is checked for less", Fast, |_, o| calculates(o, Alu::Add, 38), 0, |i| i.imm = 22),
    fault("the IP length may pass the frame's end", Fast, |_, o| calculates(o, Alu::Add, 14), 0, |i| i.imm = 13),
    fault("the IP length need not reach the ports", Fast, |_, o| calculates(o, Alu::Mov, 24), 0, |i| i.imm = 20),
    fault("half the EtherType is looked at", Fast, |_, o| calculates(o, Alu::And, KIND), 0, |i| i.imm = 0x00ff_00ff),
    fault("IPv4 options are taken for ports", Fast, |_, o| compares(o, Test::NotEqual, FITS), 0, |i| i.imm = 0x46_0008),
    fault(
        "fragments with a small offset count as whole",
        Fast,
        |i, o| loads_constant(i, o, FRAGMENT),
        0,
        |i| {
            i.imm = 0xff00_003f_u32 as i32;
        },
    ),
    fault("standby is not seen", Fast, |_, o| calculates(o, Alu::And, 2), 0, |i| i.imm = 0x40),
    fault("the other half is read", Fast, |_, o| calculates(o, Alu::And, 1), 0, |i| i.imm = 2),
    fault("the seed lacks a bit", Fast, |_, o| calculates(o, Alu::And, 65535), 0, |i| i.imm = 65534),
    fault("another MAC half is stored", Fast, |_, o| calculates(o, Alu::Shr, 16), 0, |i| i.imm = 32),
    fault("MAC halves are swapped", Fast, |i, o| stores(i, o, 4, 8), 0, |i| i.off = 0),
    fault("half the bytes are counted", Fast, |_, o| calculates(o, Alu::Shl, 10), 0, |i| i.imm = 9),
    fault("two packets are counted", Fast, |i, o| calculates(o, Alu::Add, 1) && i.dst == 3, 0, |i| i.imm = 2),
    fault("no service is counted as something else", Fast, |_, o| calculates(o, Alu::Or, 10), 0, |i| i.imm = 9),
    fault("the first slot is taken for the first counter", Fast, |i, o| loads(i, o, 4, 28), 0, |i| i.off = 24),
    fault("prefixes are forgotten", Fast, |_, o| calculates(o, Alu::And, 28), 0, |i| i.imm = 12),
    fault(
        "another table's length is the limit",
        Fast,
        |i, _| loads_symbol(i, "ALL_COUNTERS"),
        0,
        |i| {
            i.symbol = Some("modlb_constant_SLOTS".into());
        },
    ),
    fault("general path: VRRP's MACs for IPv4 alone", General, |_, o| compares(o, Test::Greater, 1), 0, |i| i.imm = 0),
    fault("IPv6 ports are read from the addresses", Fast, |i, o| loads(i, o, 4, 58), 0, |i| i.off = 54),
    fault("tagged ports are read four bytes too early", Fast, |i, o| loads(i, o, 4, 38), 0, |i| i.off = 34),
    fault("a tagged frame's length is checked for less", Fast, |_, o| calculates(o, Alu::Add, 42), 0, |i| i.imm = 22),
    fault("a tagged IP length may pass the end", Fast, |_, o| calculates(o, Alu::Add, 18), 0, |i| i.imm = 14),
    fault("a tagged IPv6 frame is checked for less", Fast, |_, o| calculates(o, Alu::Add, 62), 0, |i| i.imm = 22),
    fault("any tag is an outer tag", Fast, |_, o| compares(o, Test::NotEqual, 0x8100), 0, |i| i.imm = 0x9100),
    fault("a tagged IPv6 source is read from elsewhere", Fast, |i, o| loads(i, o, 8, 26), 0, |i| i.off = 22),
    fault("an IPv6 frame's length is checked for less", Fast, |_, o| calculates(o, Alu::Add, 58), 0, |i| i.imm = 18),
    fault("the IPv6 length may pass the frame's end", Fast, |_, o| calculates(o, Alu::Add, 54), 0, |i| i.imm = 53),
    fault("the IPv6 length need not reach the ports", Fast, |_, o| calculates(o, Alu::Mov, 4), 0, |i| i.imm = 3),
    fault("IP version 5 is taken for 6", Fast, |_, o| compares(o, Test::NotEqual, FITS6), 0, |i| i.imm = 0x0050_dd86),
    fault("the hop limit is taken for the protocol", Fast, |i, o| loads(i, o, 1, 20), 0, |i| i.off = 21),
    fault("the flow label is taken for the length", Fast, |i, o| loads(i, o, 2, 18), 0, |i| i.off = 16),
    fault("the IPv6 source lacks its first half", Fast, |i, o| loads(i, o, 8, 22), 0, |i| i.off = 30),
    fault("the IPv6 destination lacks its first half", Fast, |i, o| loads(i, o, 8, 38), 0, |i| i.off = 46),
    fault("ESP is taken for TCP", Fast, |_, o| compares(o, Test::NotEqual, 0x0600_0000), 0, |i| i.imm = 0x3200_0000),
    fault("IPv6: ESP is taken for TCP", Fast, |_, o| compares(o, Test::NotEqual, 6), 0, |i| i.imm = 50),
    fault("another prefix of MACs is VRRP's", Fast, |_, o| compares(o, Test::NotEqual, VRRP), 0, |i| i.imm = 0x5f_0000),
    fault("VRRP has a third kind of MAC", Fast, |_, o| compares(o, Test::Greater, 1), 0, |i| i.imm = 2),
    fault("services without a port are looked for", Fast, |_, o| calculates(o, Alu::Or, 0x14), 0, |i| i.imm = 0x24),
    fault(
        "IPv6: services without a port are looked for",
        Fast,
        |_, o| calculates(o, Alu::Or, 0x16),
        0,
        |i| i.imm = 0x26,
    ),
    fault("the seed is taken from other bits", Fast, |_, o| calculates(o, Alu::Shr, 8), 0, |i| i.imm = 9),
    fault("the 5-tuple's flag is another bit", Fast, |_, o| calculates(o, Alu::And, 1), 1, |i| i.imm = 2),
    fault("rare servers are sent to as if they were near", Fast, |_, o| calculates(o, Alu::And, 1), 2, |i| i.imm = 0),
    fault("the flag of slots in order is another bit", Fast, |_, o| calculates(o, Alu::And, 4), 0, |i| i.imm = 8),
    fault("a power of 2^32 is taken for the next", Fast, |i, o| loads(i, o, 4, 32), 0, |i| i.off = 36),
    fault("a slot's counter is taken from the MAC", Fast, |_, o| calculates(o, Alu::Shr, 48), 0, |i| i.imm = 40),
    fault("full packed counters overflow", Fast, |_, o| calculates(o, Alu::And, FULL), 0, |i| i.imm = 0x600),
    fault("a bit of packets is not carried", Fast, |_, o| calculates(o, Alu::And, 0x3ff), 0, |i| i.imm = 0x1ff),
    fault("a bit of bytes is not carried", Fast, |_, o| calculates(o, Alu::And, 0x1f_ffff), 0, |i| i.imm = 0x0f_ffff),
    fault("the destination's tail is not written", Fast, |i, o| stores(i, o, 2, 4), 0, |i| i.off = 6),
    fault("the packet is passed instead of sent", Fast, |_, o| calculates(o, Alu::Mov, 3), 0, |i| i.imm = 2),
    fault(
        "the second half starts elsewhere",
        Fast,
        |i, _| loads_symbol(i, "constant_CELLS"),
        0,
        |i| {
            i.symbol = Some("modlb_constant_SLOTS".into());
        },
    ),
    fault("general path: standby is not seen", General, |_, o| calculates(o, Alu::And, 2), 0, |i| i.imm = 0x40),
    fault("general path: the EtherType is read from elsewhere", General, |i, o| loads(i, o, 2, 12), 0, |i| i.off = 10),
    Fault {
        program: Some("balancer_frags"),
        ..fault(
            "several buffers: half the bytes are counted",
            Fast,
            |_, o| calculates(o, Alu::Shl, 10),
            0,
            |i| i.imm = 9,
        )
    },
    Fault {
        program: Some("balancer_frags"),
        ..fault(
            "several buffers: a tagged IP length may pass the end",
            Fast,
            |_, o| calculates(o, Alu::Add, 18),
            0,
            |i| i.imm = 14,
        )
    },
    Fault {
        program: Some("balancer_frags"),
        ..fault(
            "several buffers: tagged IPv6 ports are read from elsewhere",
            Fast,
            |i, o| loads(i, o, 4, 58),
            0,
            |i| i.off = 50,
        )
    },
];
