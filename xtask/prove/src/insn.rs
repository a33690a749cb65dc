//! Instructions: the eight bytes that the kernel is handed, and what they mean (RFC 9669).

use std::rc::Rc;

use anyhow::{Result, bail};

/// An instruction as it is in the file, with what relocations say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Insn {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
    /// The upper half of what a load of 64 bits loads.
    pub upper: i32,
    /// Whose address a load of 64 bits loads.
    pub symbol: Option<Rc<str>>,
    /// The first instruction of the function that a call calls.
    pub target: Option<usize>,
    /// Section, and number there.
    pub place: Rc<str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    Shl,
    Shr,
    Neg,
    Mod,
    Xor,
    Mov,
    Sar,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Test {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Bits,
    SignedGreater,
    SignedGreaterEqual,
    SignedLess,
    SignedLessEqual,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    Register(u8),
    /// Sign-extended.
    Constant(u64),
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    Alu {
        op: Alu,
        width: u32,
        source: Source,
    },
    /// The lowest bytes, swapped or not, with zeros above.
    Bytes {
        count: u32,
        swap: bool,
    },
    LoadConstant,
    Load {
        size: u32,
    },
    Store {
        size: u32,
        source: Source,
    },
    Jump {
        test: Test,
        width: u32,
        source: Source,
    },
    Goto,
    CallHelper,
    CallFunction,
    Exit,
}

const LOAD_CONSTANT: u8 = 0x18;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const GOTO: u8 = 0x05;
const MEMORY: u8 = 0x60;

impl Insn {
    /// Whether it takes the place of two.
    pub const fn is_wide(&self) -> bool {
        self.code == LOAD_CONSTANT
    }

    /// Whether it calls a function of the program.
    pub const fn is_function_call(&self) -> bool {
        self.code == CALL && self.src == 1
    }

    /// What it does. An error: it is not known here, so nothing can be said about it.
    pub fn operation(&self) -> Result<Operation> {
        let source =
            if self.code & 8 == 0 { Source::Constant(i64::from(self.imm) as u64) } else { Source::Register(self.src) };
        Ok(match self.code & 7 {
            _ if self.code == LOAD_CONSTANT && (self.src == 0) => Operation::LoadConstant,
            _ if self.code == EXIT => Operation::Exit,
            _ if self.code == GOTO => Operation::Goto,
            _ if self.code == CALL && self.src == 0 => Operation::CallHelper,
            _ if self.code == CALL && self.src == 1 => Operation::CallFunction,
            1 if self.is_memory() => Operation::Load { size: self.size() },
            2 if self.is_memory() => {
                Operation::Store { size: self.size(), source: Source::Constant(i64::from(self.imm) as u64) }
            }
            3 if self.is_memory() => Operation::Store { size: self.size(), source: Source::Register(self.src) },
            class @ (4 | 7) if self.off == 0 => self.arithmetic(class == 7, source)?,
            class @ (5 | 6) => Operation::Jump { test: self.test()?, width: if class == 5 { 64 } else { 32 }, source },
            _ => bail!("{self} is not known"),
        })
    }

    const fn is_memory(&self) -> bool {
        self.code & 0xe0 == MEMORY
    }

    const fn size(&self) -> u32 {
        match self.code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        }
    }

    fn arithmetic(&self, wide: bool, source: Source) -> Result<Operation> {
        let op = match self.code >> 4 {
            0x0 => Alu::Add,
            0x1 => Alu::Sub,
            0x2 => Alu::Mul,
            0x3 => Alu::Div,
            0x4 => Alu::Or,
            0x5 => Alu::And,
            0x6 => Alu::Shl,
            0x7 => Alu::Shr,
            0x8 => Alu::Neg,
            0x9 => Alu::Mod,
            0xa => Alu::Xor,
            0xb => Alu::Mov,
            0xc => Alu::Sar,
            0xd if matches!(self.imm, 16 | 32 | 64) => {
                // To big-endian on a machine that is not, or always.
                return Ok(Operation::Bytes { count: self.imm as u32 / 8, swap: wide || self.code & 8 != 0 });
            }
            _ => bail!("{self} is not known"),
        };
        Ok(Operation::Alu { op, width: if wide { 64 } else { 32 }, source })
    }

    fn test(&self) -> Result<Test> {
        Ok(match self.code >> 4 {
            0x1 => Test::Equal,
            0x2 => Test::Greater,
            0x3 => Test::GreaterEqual,
            0x4 => Test::Bits,
            0x5 => Test::NotEqual,
            0x6 => Test::SignedGreater,
            0x7 => Test::SignedGreaterEqual,
            0xa => Test::Less,
            0xb => Test::LessEqual,
            0xc => Test::SignedLess,
            0xd => Test::SignedLessEqual,
            _ => bail!("{self} is not known"),
        })
    }

    /// The eight bytes in the file.
    pub const fn bytes(&self) -> [u8; 8] {
        let ([c, d], [e, f, g, h]) = (self.off.to_le_bytes(), self.imm.to_le_bytes());
        [self.code, self.dst | self.src << 4, c, d, e, f, g, h]
    }

    /// What a load of 64 bits loads, where no symbol says it.
    pub const fn wide_constant(&self) -> u64 {
        (self.imm as u32 as u64) | (self.upper as u32 as u64) << 32
    }
}

impl std::fmt::Display for Insn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, dst, src, off, imm, place, symbol, .. } = self;
        write!(f, "instruction {place} ({code:#04x} dst r{dst} src r{src} off {off} imm {imm:#x}")?;
        if let Some(symbol) = symbol {
            write!(f, " {symbol}")?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(bytes: [u8; 8]) -> Insn {
        Insn {
            code: bytes[0],
            dst: bytes[1] & 15,
            src: bytes[1] >> 4,
            off: i16::from_le_bytes([bytes[2], bytes[3]]),
            imm: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            upper: 0,
            symbol: None,
            target: None,
            place: "here:0".into(),
        }
    }

    #[test]
    fn instructions_mean_what_the_standard_says() {
        use Source::{Constant, Register};
        for (bytes, operation) in [
            (
                [0x07, 1, 0, 0, 255, 255, 255, 255],
                Operation::Alu { op: Alu::Add, width: 64, source: Constant(u64::MAX) },
            ),
            ([0x0c, 0x21, 0, 0, 0, 0, 0, 0], Operation::Alu { op: Alu::Add, width: 32, source: Register(2) }),
            ([0x9f, 2, 0, 0, 0, 0, 0, 0], Operation::Alu { op: Alu::Mod, width: 64, source: Register(0) }),
            ([0xdc, 1, 0, 0, 16, 0, 0, 0], Operation::Bytes { count: 2, swap: true }),
            ([0xd4, 1, 0, 0, 32, 0, 0, 0], Operation::Bytes { count: 4, swap: false }),
            ([0x69, 0x21, 4, 0, 0, 0, 0, 0], Operation::Load { size: 2 }),
            ([0x7b, 0x21, 4, 0, 0, 0, 0, 0], Operation::Store { size: 8, source: Register(2) }),
            ([0x62, 1, 4, 0, 9, 0, 0, 0], Operation::Store { size: 4, source: Constant(9) }),
            ([0x2d, 0x41, 4, 0, 0, 0, 0, 0], Operation::Jump { test: Test::Greater, width: 64, source: Register(4) }),
            ([0xc6, 1, 4, 0, 1, 0, 0, 0], Operation::Jump { test: Test::SignedLess, width: 32, source: Constant(1) }),
            ([0x85, 0, 0, 0, 8, 0, 0, 0], Operation::CallHelper),
            ([0x85, 0x10, 0, 0, 8, 0, 0, 0], Operation::CallFunction),
            ([0x95, 0, 0, 0, 0, 0, 0, 0], Operation::Exit),
        ] {
            assert_eq!(insn(bytes).operation().unwrap(), operation, "{bytes:?}");
        }
    }

    /// Signed division, sign-extending moves and loads, atomic operations, calls of kernel functions.
    #[test]
    fn what_is_not_known_is_an_error() {
        for bytes in [
            [0x9f, 2, 1, 0, 0, 0, 0, 0],
            [0xbf, 0x21, 8, 0, 0, 0, 0, 0],
            [0x81, 0x21, 0, 0, 0, 0, 0, 0],
            [0xdb, 0x21, 0, 0, 0, 0, 0, 0],
            [0x85, 0x20, 0, 0, 0, 0, 0, 0],
            [0xe5, 0, 0, 0, 0, 0, 0, 0],
            [0x00, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(insn(bytes).operation().is_err(), "{bytes:?}");
        }
    }
}
