//! Where the running kernel has a field of one of its types, by its BTF.
//!
//! Layout of the data: the kernel's Documentation/bpf/btf.rst, section 2.

use std::fs;

use crate::datapath::error::{Error, Result};

/// The kernel's own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The offset of `snt_isn` in `struct tcp_request_sock`, in bytes: the sequence number of a SYN-ACK.
///
/// # Errors
///
/// The kernel has no types to read, or not this one.
pub(super) fn sent_isn() -> Result<u32> {
    let types = fs::read(VMLINUX)
        .map_err(Error::io(format!("reading the kernel's types ({VMLINUX}), which role keep needs")))?;
    let (structure, member) = ("tcp_request_sock", "snt_isn");
    offset(&types, structure, member).ok_or(Error::NoKernelType { structure, member })
}

/// The offset of a member in bytes.
fn offset(btf: &[u8], structure: &str, member: &str) -> Option<u32> {
    const MAGIC: u32 = 0xeb9f;
    let word = |at: usize| Some(u32::from_le_bytes(btf.get(at..at + 4)?.try_into().ok()?));
    if word(0)? & 0xffff != MAGIC {
        return None;
    }
    let header = word(4)? as usize;
    let types = header + word(8)? as usize;
    let (end, strings) = (types + word(12)? as usize, header + word(16)? as usize);
    let is_named = |offset: u32, name: &str| {
        let text = btf.get(strings + offset as usize..).unwrap_or_default();
        text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    };
    let mut at = types;
    while at < end {
        let (name, info) = (word(at)?, word(at + 4)?);
        let (kind, members, flag) = (info >> 24 & 0x1f, (info & 0xffff) as usize, info >> 31 != 0);
        let body = at + HEAD;
        if kind == STRUCT && is_named(name, structure) {
            let found = (0..members)
                .map(|number| body + number * MEMBER)
                .find(|at| word(*at).is_some_and(|it| is_named(it, member)));
            // With the flag, the upper bits are the size of a bit field.
            let bits = word(found? + 8)?;
            return Some(if flag { bits & 0x00ff_ffff } else { bits } / 8);
        }
        at = body + body_length(kind, members)?;
    }
    None
}

/// The length of what all types have.
const HEAD: usize = 12;

/// The length of a member of a structure: name, type, offset in bits.
const MEMBER: usize = 12;

/// The kind of a structure.
const STRUCT: u32 = 4;

/// The length of what follows, by kind; `None`: an unknown kind.
const fn body_length(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        // Integers, variables, tags of declarations.
        1 | 14 | 17 => 4,
        // Pointers, forward declarations, names, qualifiers, functions, floats, tags of types.
        2 | 7..=12 | 16 | 18 => 0,
        // Arrays.
        3 => 12,
        // Structures, unions, sections of data, enumerations of 64 bits.
        STRUCT | 5 | 15 | 19 => members * MEMBER,
        // Enumerations, prototypes.
        6 | 13 => members * 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(name: u32, kind: u32, members: &[[u32; 3]], flag: bool) -> Vec<u32> {
        let info = kind << 24 | members.len() as u32 | u32::from(flag) << 31;
        [&[name, info, 0][..], &members.concat()].concat()
    }

    #[test]
    fn members_are_found() {
        let strings = b"\0a\0ab\0x\0y\0";
        // An integer, a structure with another name, a union, and the structure.
        let types = [
            vec![1, 1 << 24, 4, 32],
            type_of(3, STRUCT, &[[6, 1, 8]], false),
            type_of(1, 5, &[[6, 1, 0]], false),
            type_of(1, STRUCT, &[[6, 1, 0], [8, 1, 96]], false),
        ]
        .concat();
        let header = [0x1_eb9f, 24, 0, types.len() as u32 * 4, types.len() as u32 * 4, strings.len() as u32];
        let mut btf: Vec<u8> = header.iter().chain(&types).flat_map(|word| word.to_le_bytes()).collect();
        btf.extend(strings);
        assert_eq!(offset(&btf, "a", "y"), Some(12));
        assert_eq!(offset(&btf, "ab", "x"), Some(1));
        assert_eq!(offset(&btf, "a", "z"), None);
        assert_eq!(offset(&btf, "b", "x"), None);
        for length in 0..btf.len() {
            // Whatever is cut off, nothing is read beyond the end.
            let _ = offset(&btf[..length], "a", "y");
        }
    }

    #[test]
    fn this_kernel_has_the_field() {
        if std::path::Path::new(VMLINUX).exists() {
            let offset = sent_isn().unwrap();
            assert!((100..1_000).contains(&offset) && offset.is_multiple_of(4), "{offset}");
        }
    }
}
