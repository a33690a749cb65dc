//! Faults in the programs of members and of hosts that steer.

use super::{
    faults::{
        Fault,
        Where::{self, Fast, General},
        fault,
    },
    patterns::{calculates, compares, loads, loads_constant, loads_symbol, stores},
};
use crate::insn::{Alu, Insn, Operation, Test};

type Fits = fn(&Insn, Operation) -> bool;
type Change = fn(&mut Insn);

const fn member(name: &'static str, place: Where, fits: Fits, count: usize, change: Change) -> Fault {
    Fault { program: Some("member"), ..fault(name, place, fits, count, change) }
}

const fn member_frags(name: &'static str, place: Where, fits: Fits, count: usize, change: Change) -> Fault {
    Fault { program: Some("member_frags"), ..fault(name, place, fits, count, change) }
}

const fn steer(name: &'static str, place: Where, fits: Fits, count: usize, change: Change) -> Fault {
    Fault { program: Some("steer"), ..fault(name, place, fits, count, change) }
}

/// A branch that is taken if a number is at least 0.
const ALWAYS: u8 = 0x35;
/// The bits of the control word that say in which directions services are looked for. A flag has the second as well.
const FORWARD: i64 = 0x40;
const REPLY: i64 = 0x20;
/// The mask of a source port, and what it would be for a destination port.
const SOURCE_PORT: u64 = 0xffff_0000;

/// A branch over one instruction where a number is 0.
fn skips_one(insn: &Insn, operation: Operation) -> bool {
    compares(operation, Test::Equal, 0) && insn.off == 1
}

pub const FAULTS: [Fault; 20] = [
    member("member: forward is taken for reply", Fast, |_, o| calculates(o, Alu::And, FORWARD), 0, |i| i.imm = 0x20),
    member("member: reply is taken for forward", Fast, |_, o| calculates(o, Alu::And, REPLY), 4, |i| i.imm = 0x40),
    member("member: a reply's key has the other side", Fast, |_, o| calculates(o, Alu::Or, 0x1c), 0, |i| i.imm = 0x14),
    member("member: ports are not swapped", Fast, |i, o| loads_constant(i, o, SOURCE_PORT), 0, |i| i.imm = 0xffff),
    member("member: another member's counter", Fast, |i, o| loads(i, o, 4, 28), 0, |i| i.off = 24),
    member("member: no group's MAC is one", Fast, |_, o| compares(o, Test::NotEqual, 0), 2, |i| i.imm = 1),
    member(
        "member: accepted with another MAC",
        Fast,
        |i, _| loads_symbol(i, "INTERFACE_MAC"),
        1,
        |i| i.symbol = Some("modlb_constant_INTERFACE".into()),
    ),
    member("member: the MAC's tail is not written", Fast, |i, o| stores(i, o, 2, 4), 0, |i| i.off = 6),
    member("member: accepted counts as kept", Fast, |_, o| calculates(o, Alu::Or, 11), 0, |i| i.imm = 12),
    member(
        "member: the flag of slots in order is another bit",
        Fast,
        |_, o| calculates(o, Alu::And, 4),
        0,
        |i| i.imm = 8,
    ),
    member("member: general path: others' are passed", General, |_, o| calculates(o, Alu::Mov, 1), 0, |i| i.imm = 2),
    member_frags("member_frags: half the bytes count", Fast, |_, o| calculates(o, Alu::Shl, 10), 0, |i| i.imm = 9),
    member_frags("member_frags: own packets are dropped", Fast, |_, o| calculates(o, Alu::And, 1), 3, |i| i.imm = 0),
    steer("steer: segments are not counted", Fast, skips_one, 1, |i| i.code = ALWAYS),
    steer("steer: a packet without segments is two", Fast, |_, o| calculates(o, Alu::Mov, 1), 0, |i| i.imm = 2),
    steer("steer: 512 segments fit", Fast, |_, o| compares(o, Test::Greater, 0x1ff), 0, |i| i.imm = 0x200),
    steer("steer: multicast is steered", Fast, |_, o| calculates(o, Alu::And, 1), 0, |i| i.imm = 2),
    steer("steer: the MAC's tail is not written", Fast, |i, o| stores(i, o, 2, 4), 0, |i| i.off = 6),
    steer("steer: a reply's key has the other side", Fast, |_, o| calculates(o, Alu::Or, 0x1c), 0, |i| i.imm = 0x14),
    steer("steer: this host is a router as others", Fast, |_, o| calculates(o, Alu::And, 1), 3, |i| i.imm = 0),
];
