//! Faults in how the general path reads packets, for the second theorem. The first does not see them: they are about
//! packets that the fast path does not decide.

use super::{
    faults::{
        Fault,
        Where::{Called, General},
        fault,
    },
    patterns::{calculates, compares, loads},
};
use crate::insn::{Alu, Test};

const QUOTE4: &str = "5quote5read4";
const QUOTE6: &str = "5quote5read6";

pub const FAULTS: [Fault; 15] = [
    fault("IPv4 headers of four words are read", General, |_, o| calculates(o, Alu::Mov, 20), 0, |i| i.imm = 16),
    fault("IP version 5 is read as 4", General, |_, o| calculates(o, Alu::And, 0xf0), 0, |i| i.imm = 0xe0),
    fault("more fragments are not seen", General, |_, o| calculates(o, Alu::And, 0xff3f), 0, |i| i.imm = 0xff1f),
    fault("IPv6: DCCP has no ports", General, |_, o| compares(o, Test::Equal, 33), 0, |i| i.imm = 34),
    fault("IPv4: DCCP has no ports", General, |_, o| compares(o, Test::Equal, 33), 1, |i| i.imm = 34),
    fault("source quench is an error", General, |_, o| calculates(o, Alu::And, 0x1808), 0, |i| i.imm = 0x1818),
    fault("time exceeded is no error", General, |_, o| calculates(o, Alu::And, 0x1808), 0, |i| i.imm = 0x1008),
    fault("any second tag is one", General, |_, o| compares(o, Test::NotEqual, 0x88a8), 1, |i| i.imm = 0x9100),
    fault("a redirect is taken by services", General, |_, o| calculates(o, Alu::Mov, 0x20ff), 0, |i| i.imm = 0x207f),
    fault(
        "the walk counts later fragments alone",
        General,
        |i, o| calculates(o, Alu::Mov, 0) && i.dst == 5,
        0,
        |i| i.imm = 1,
    ),
    fault("a ninth header is malformed", General, |i, o| calculates(o, Alu::Mov, 8) && i.dst == 9, 0, |i| i.imm = 7),
    fault("a quoted source is the destination", Called(QUOTE4), |i, o| loads(i, o, 4, 12), 0, |i| i.off = 16),
    fault(
        "a quoted first fragment has no ports",
        Called(QUOTE4),
        |_, o| calculates(o, Alu::And, 0xff1f),
        0,
        |i| i.imm = 0xff3f,
    ),
    fault("a quoted port is read twice", Called(QUOTE4), |i, o| loads(i, o, 2, 2), 1, |i| i.off = 0),
    fault("a quote may end in its IPv6 header", Called(QUOTE6), |_, o| calculates(o, Alu::Mov, 40), 0, |i| i.imm = 39),
];
