//! Faults in functions that are called out of line, for the third theorem. The others take them for arbitrary ones.

use super::{
    faults::{Fault, Where::Function, fault},
    patterns::{calculates, compares, loads, loads_constant},
};
use crate::{
    contracts::WALK,
    insn::{Alu, Insn, Operation, Source, Test},
};

const PROBE: &str = "modlb_probe";
const ADDRESS: &str = "modlb_search_address";
const PREFIX: &str = "modlb_search_prefix";
const LENGTH: &str = "modlb_search_length";
const LONGEST: &str = "modlb_longest";
const SEARCH: &str = "modlb_search";

/// The extension headers, a bit for each.
const EXTENSIONS: u64 = 0x1008_1800_0000_0001;
/// Jumps if the number is at least the constant.
const AT_LEAST: u8 = 0x35;
/// Jumps if one number is below the other.
const BELOW: u8 = 0xad;

/// Compares two registers.
fn compares_both(operation: Operation, wanted: Test) -> bool {
    matches!(operation, Operation::Jump { test, source: Source::Register(_), .. } if test == wanted)
}

/// Joins two registers.
fn joins(operation: Operation) -> bool {
    matches!(operation, Operation::Alu { op: Alu::Or, source: Source::Register(_), .. })
}

/// Compares a register with itself, or joins it with itself.
fn with_itself(insn: &mut Insn) {
    insn.src = insn.dst;
}

pub const FAULTS: [Fault; 32] = [
    fault("the last cell is not looked at", Function(PROBE), |_, o| calculates(o, Alu::Add, 1), 6, |i| i.imm = 0),
    fault("a cell's tag is not compared", Function(PROBE), |_, o| compares_both(o, Test::Equal), 0, with_itself),
    fault(
        "a prefix's length is not compared",
        Function(PROBE),
        |_, o| compares_both(o, Test::NotEqual),
        1,
        with_itself,
    ),
    fault("half of an address is compared", Function(PROBE), |_, o| joins(o), 0, with_itself),
    fault("a bit beside the half's is read", Function(PROBE), |_, o| calculates(o, Alu::And, 1), 0, |i| i.imm = 2),
    fault(
        "the next cell may be in the other half",
        Function(PROBE),
        |_, o| calculates(o, Alu::Add, -1),
        3,
        |i| i.imm = 0,
    ),
    fault("an empty cell does not end a search", Function(PROBE), |_, o| compares(o, Test::Equal, 0), 0, |i| i.imm = 1),
    fault("the seed starts one bit higher", Function(PROBE), |_, o| calculates(o, Alu::Shr, 8), 0, |i| i.imm = 9),
    fault("a cell's number is too high", Function(PROBE), |_, o| calculates(o, Alu::Add, 1), 7, |i| i.imm = 2),
    fault("AH has units of 8 bytes", Function(WALK), |_, o| calculates(o, Alu::Shl, 2), 0, |i| i.imm = 3),
    fault("AH's length is without its first unit", Function(WALK), |_, o| calculates(o, Alu::Add, 8), 2, |i| i.imm = 4),
    fault(
        "a ninth header is looked through",
        Function(WALK),
        |i, o| calculates(o, Alu::Mov, 8) && i.dst == 9,
        0,
        |i| i.imm = 9,
    ),
    fault(
        "atomic fragments are fragments",
        Function(WALK),
        |_, o| compares(o, Test::NotEqual, 0),
        0,
        |i| i.code = AT_LEAST,
    ),
    fault("reserved bits make a fragment", Function(WALK), |_, o| calculates(o, Alu::Mov, -7), 0, |i| i.imm = -5),
    fault("quoted first fragments count", Function(WALK), |_, o| calculates(o, Alu::Mov, -8), 0, |i| i.imm = -7),
    fault(
        "protocol 32 is looked through",
        Function(WALK),
        |i, o| loads_constant(i, o, EXTENSIONS),
        0,
        |i| i.upper |= 1,
    ),
    fault(
        "too many headers are malformed",
        Function(WALK),
        |_, o| calculates(o, Alu::Mov, 0x400),
        0,
        |i| i.imm = 0x200,
    ),
    fault("SCTP has no ports", Function(ADDRESS), |_, o| compares(o, Test::NotEqual, 132), 0, |i| i.imm = 133),
    fault("any port is asked for any protocol", Function(ADDRESS), |_, o| calculates(o, Alu::And, 4), 0, |i| i.imm = 8),
    fault(
        "fragments are searched by protocol",
        Function(ADDRESS),
        |_, o| calculates(o, Alu::Mov, 0x40),
        0,
        |i| {
            i.imm = 0x20;
        },
    ),
    fault(
        "own addresses are not looked for",
        Function(PREFIX),
        |_, o| calculates(o, Alu::Or, 0x90),
        0,
        |i| i.imm = 0xa0,
    ),
    fault(
        "prefixes take multicast",
        Function(PREFIX),
        |i, o| loads_constant(i, o, 0xe000_0000),
        0,
        |i| i.imm = 0xd000_0000_u32 as i32,
    ),
    fault("prefixes take IPv6 loopback", Function(PREFIX), |_, o| calculates(o, Alu::Mov, 2), 0, |i| i.imm = 1),
    fault("the shorter prefix wins", Function(PREFIX), |_, o| compares_both(o, Test::Greater), 4, |i| i.code = BELOW),
    fault("a length is not tried", Function(PREFIX), |_, o| compares(o, Test::Equal, 0x80), 0, |i| i.imm = 0x7f),
    fault(
        "fragments of a length are whole",
        Function(LENGTH),
        |_, o| calculates(o, Alu::Or, 0x80),
        0,
        |i| i.imm = 0x60,
    ),
    fault(
        "a bit less of a prefix is compared",
        Function(LENGTH),
        |_, o| calculates(o, Alu::Mov, 0x3f),
        0,
        |i| i.imm = 0x3e,
    ),
    fault(
        "the longest is tried for too seldom",
        Function(LONGEST),
        |_, o| calculates(o, Alu::Mov, 8),
        0,
        |i| i.imm = 7,
    ),
    fault("a marker's best is mixed up", Function(LONGEST), |i, o| loads(i, o, 4, 0x34), 0, |i| i.off = 0x38),
    fault(
        "an exit is taken for a marker",
        Function(LONGEST),
        |_, o| calculates(o, Alu::And, 0x80),
        0,
        |i| i.imm = 0x40,
    ),
    fault(
        "prefixes are searched for any protocol",
        Function(SEARCH),
        |_, o| calculates(o, Alu::And, 0x10),
        0,
        |i| i.imm = 8,
    ),
    fault("the filter skips by the next field", Function(SEARCH), |i, o| loads(i, o, 8, 16), 0, |i| i.off = 24),
];
