//! Faults in what the general path does with a flow: how it looks for the service, chooses the server, counts, and
//! sends.

use super::{
    faults::{
        Fault,
        Where::{Called, General},
        fault,
    },
    patterns::{calculates, compares, loads, loads_constant, loads_symbol, stores},
};
use crate::insn::{Alu, Test};

const VIA: &str = "via_next_hop_apart";

pub const FAULTS: [Fault; 27] = [
    fault("fragments are looked for as whole packets", General, |_, o| calculates(o, Alu::Mov, 0x14), 0, |i| i.imm = 4),
    fault("IPv6 fragments are looked for as whole", General, |_, o| calculates(o, Alu::And, 0xf6), 0, |i| i.imm = 0xe6),
    fault(
        "the second half starts at the first",
        General,
        |i, _| loads_symbol(i, "constant_CELLS"),
        0,
        |i| {
            i.symbol = Some("modlb_constant_CELL_SHIFT".into());
        },
    ),
    fault(
        "services without a protocol are forgotten",
        General,
        |_, o| calculates(o, Alu::And, 0x1c),
        0,
        |i| {
            i.imm = 0x14;
        },
    ),
    fault("prefixes are all that there is", General, |_, o| compares(o, Test::Equal, 0x10), 0, |i| i.imm = 0x18),
    fault("the filter's mask is what it compares with", General, |i, o| loads(i, o, 8, 0x2048), 0, |i| i.off = 0x2040),
    fault("the filter looks at a bit less", General, |_, o| calculates(o, Alu::And, 0x1ff8), 0, |i| i.imm = 0x1ff0),
    fault("slots start at the first counter", General, |i, o| loads(i, o, 4, 24), 0, |i| i.off = 28),
    fault("counters start at the first slot", General, |i, o| loads(i, o, 4, 28), 0, |i| i.off = 24),
    fault("2^64 counts as 2^32", General, |i, o| loads(i, o, 4, 36), 0, |i| i.off = 32),
    fault("a slot's counter lacks a bit", General, |_, o| calculates(o, Alu::Shr, 48), 0, |i| i.imm = 49),
    fault("another flag says that slots are in order", General, |_, o| calculates(o, Alu::And, 4), 0, |i| i.imm = 2),
    fault("another flag says that there are peers", General, |_, o| calculates(o, Alu::And, 8), 0, |i| i.imm = 16),
    fault("an own address is a peer", General, |_, o| calculates(o, Alu::Mov, 0xb0), 0, |i| i.imm = 0x90),
    fault("the destination is a peer", General, |i, o| loads(i, o, 2, 6), 0, |i| i.off = 0),
    fault("what a peer sent is counted for another", General, |i, o| loads(i, o, 4, 56), 0, |i| i.off = 52),
    fault("a loop is no service", General, |_, o| calculates(o, Alu::Mov, 14), 0, |i| i.imm = 10),
    fault("the exit's flag is another", General, |_, o| compares(o, Test::Equal, 0x40), 0, |i| i.imm = 0x48),
    fault("the mark of a slot is sent", General, |i, o| loads_constant(i, o, 0xffff_fffe), 0, |i| i.imm = -1),
    fault("a server elsewhere is this host", General, |_, o| compares(o, Test::NotEqual, 0), 40, |i| i.imm = 1),
    fault(
        "the VLAN overwrites the priority",
        Called(VIA),
        |_, o| calculates(o, Alu::And, 0xf000),
        0,
        |i| i.imm = 0x7000,
    ),
    fault("half a tag is removed", Called(VIA), |_, o| calculates(o, Alu::Mov, 4), 1, |i| i.imm = 2),
    fault(
        "only outer tags of one kind are removed",
        Called(VIA),
        |_, o| compares(o, Test::NotEqual, 0x81),
        0,
        |i| {
            i.imm = 0x82;
        },
    ),
    fault("a new tag is an outer one", Called(VIA), |_, o| calculates(o, Alu::Mov, 0x81), 0, |i| i.imm = 0xa888),
    fault("the server's MAC is the interface's", Called(VIA), |i, o| loads(i, o, 4, 8), 0, |i| i.off = 14),
    fault("the source's tail is not written", Called(VIA), |i, o| stores(i, o, 4, 8), 0, |i| i.off = 4),
    fault("a redirection that fails is none", Called(VIA), |_, o| compares(o, Test::NotEqual, 4), 0, |i| i.imm = 0),
];
