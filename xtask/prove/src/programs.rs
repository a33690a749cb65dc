//! The programs, and what has to be known of each.

use anyhow::{Context as _, Result};

use crate::{contracts::Function, image::Image};

/// What a program is handed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// `xdp_md` of a frame in one buffer.
    #[default]
    Buffer,
    /// The same where frames may be in several buffers.
    Buffers,
    /// `__sk_buff`.
    Socket,
}

/// What a program reads of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Where the frame starts.
    Start,
    /// Where its first buffer, or its linear part, ends.
    End,
    /// The length of the whole frame.
    Length,
    /// How many frames it becomes, if it is not one.
    Segments,
}

impl Kind {
    /// What is so many bytes behind the context's start, in the kernel's `include/uapi/linux/bpf.h`. All are 4 bytes
    /// long.
    pub const fn field(self, offset: u64) -> Option<Field> {
        match (self, offset) {
            (Self::Buffer | Self::Buffers, 0) | (Self::Socket, 76) => Some(Field::Start),
            (Self::Buffer | Self::Buffers, 4) | (Self::Socket, 80) => Some(Field::End),
            (Self::Socket, 0) => Some(Field::Length),
            (Self::Socket, 164) => Some(Field::Segments),
            _ => None,
        }
    }

    /// Whether a frame may be longer than what lies between its bounds.
    pub const fn has_more(self) -> bool {
        !matches!(self, Self::Buffer)
    }
}

/// A program.
#[derive(Debug)]
pub struct Program {
    pub name: &'static str,
    pub kind: Kind,
    /// A part of the name of the function that is its general path.
    pub general: &'static str,
    /// Functions that are gone into although they have a contract: what they do is what the fast path does in another
    /// way.
    entered: &'static [&'static str],
}

/// The general path searches where the fast path looks into two cells.
const SEARCH: &[&str] = &["modlb_search", "modlb_search_address", "modlb_probe"];

/// All of them.
pub const ALL: [Program; 5] = [
    Program { name: "balancer", kind: Kind::Buffer, general: "balance_other", entered: &[] },
    Program { name: "balancer_frags", kind: Kind::Buffers, general: "balance_other", entered: &[] },
    Program { name: "member", kind: Kind::Buffer, general: "join_other", entered: SEARCH },
    Program { name: "member_frags", kind: Kind::Buffers, general: "join_other", entered: SEARCH },
    Program { name: "steer", kind: Kind::Socket, general: "steer_other", entered: SEARCH },
];

/// The program with this name.
pub fn find(name: &str) -> Result<&'static Program> {
    let names = || ALL.map(|program| program.name).join(", ");
    ALL.iter().find(|program| program.name == name).with_context(|| format!("the programs are {}", names()))
}

/// The first instruction of a program's general path.
pub fn general(image: &Image, name: &str) -> Result<usize> {
    image.called(name, find(name)?.general)
}

impl Program {
    /// Whether there is a specification of all that it does. Others have a general path that searches where the fast
    /// path looks into two cells.
    pub const fn is_balancer(&self) -> bool {
        self.entered.is_empty()
    }

    /// Whether calls of a function are gone into.
    pub fn enters(&self, function: &Function) -> bool {
        self.entered.contains(&function.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts;

    #[test]
    fn what_is_gone_into_has_a_contract() {
        for name in ALL.iter().flat_map(|program| program.entered) {
            assert!(contracts::FUNCTIONS.iter().any(|function| function.name == *name), "{name}");
        }
    }
}
