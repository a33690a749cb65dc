//! Faults by which programs leave a table.

use super::{
    faults::{
        Fault,
        Where::{Fast, General},
        fault,
    },
    patterns::calculates,
};
use crate::insn::{Alu, Insn, Operation, Source, Test};

pub const FAULTS: [Fault; 5] = [
    fault("cells are twice as long", Fast, |_, o| calculates(o, Alu::Shl, 6), 0, |i| i.imm = 7),
    fault("slots are twice as long", Fast, |_, o| calculates(o, Alu::Shl, 3), 0, |i| i.imm = 4),
    fault("packed counters are twice as long", Fast, |_, o| calculates(o, Alu::Shl, 2), 0, |i| i.imm = 3),
    fault("the slot behind the last is read", Fast, |_, o| is_limit(o), 0, allow_one_more),
    fault("the outcome behind the last is counted", General, |_, o| is_limit(o), 0, allow_one_more),
];

/// Whether an index is compared with what user space filled in.
fn is_limit(operation: Operation) -> bool {
    matches!(operation, Operation::Jump { test: Test::GreaterEqual, width: 64, source: Source::Register(_) })
}

fn allow_one_more(insn: &mut Insn) {
    const GREATER: u8 = 0x20;
    insn.code = insn.code & 0x0f | GREATER;
}
