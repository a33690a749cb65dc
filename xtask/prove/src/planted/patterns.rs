//! What instructions do, for finding them.

use crate::insn::{Alu, Insn, Operation, Source, Test};

/// Whether it loads so many bytes from so far.
pub fn loads(insn: &Insn, operation: Operation, size: u32, off: i16) -> bool {
    operation == Operation::Load { size } && insn.off == off
}

pub fn stores(insn: &Insn, operation: Operation, size: u32, off: i16) -> bool {
    insn.off == off && insn.dst != 10 && matches!(operation, Operation::Store { size: stored, .. } if stored == size)
}

pub fn calculates(operation: Operation, wanted: Alu, constant: i64) -> bool {
    let constant = Source::Constant(constant as u64);
    matches!(operation, Operation::Alu { op, source, .. } if op == wanted && source == constant)
}

pub fn compares(operation: Operation, wanted: Test, constant: u64) -> bool {
    let constant = Source::Constant(constant);
    matches!(operation, Operation::Jump { test, source, .. } if test == wanted && source == constant)
}

pub fn loads_constant(insn: &Insn, operation: Operation, constant: u64) -> bool {
    operation == Operation::LoadConstant && insn.symbol.is_none() && insn.wide_constant() == constant
}

pub fn loads_symbol(insn: &Insn, name: &str) -> bool {
    insn.symbol.as_deref().is_some_and(|symbol| symbol.ends_with(name))
}

/// IPv4's type, version and header length: what is looked at, and what it must be.
pub const KIND: i64 = 0x00ff_ffff;
pub const FITS: u64 = 0x0045_0008;
/// The fragment bits and the protocol.
pub const FRAGMENT: u64 = 0xff00_ff3f;
/// The same for IPv6.
pub const FITS6: u64 = 0x0060_dd86;
/// The start of VRRP's MACs.
pub const VRRP: u64 = 0x005e_0000;
/// What does not fit into a packed counter.
pub const FULL: i64 = -0x7fff_fe00;
