//! What proofs rest on. docs/PROOF.md repeats it line by line; a test compares them.

use std::ops::Range;

/// An assumption, and who sees to it that it holds.
#[derive(Debug)]
pub struct Assumption {
    pub what: &'static str,
    pub by: &'static str,
}

/// Frames are shorter than 2^32 bytes.
pub const LENGTH_BITS: u32 = 32;
/// Places in the first buffer, where packets are read at places that depend on them.
pub const PLACE_BITS: u32 = 15;
pub const CPU_BITS: u32 = 32;
pub const SEGMENTS_BITS: u32 = 32;
/// By how many bits hashes are shifted to the numbers of cells, for the theorem about functions alone.
pub const CELL_SHIFTS: Range<u64> = 33..64;
/// The upper 16 bits of the interface's MAC are zeros.
pub const MAC_BITS: u32 = 48;
/// No table has more entries.
pub const ENTRIES_BITS: u32 = 26;
/// Hashes of 64 bits are shifted by less than that.
pub const SHIFT_BITS: u32 = 6;

/// All of them.
pub const ALL: [Assumption; 20] = [
    Assumption {
        what: "The kernel executes instructions as RFC 9669 says, and so does the code that it compiles them to.",
        by: "the kernel: its rewriting of programs and its JIT compiler",
    },
    Assumption {
        what: "Tables are apart from each other, and an entry that was looked up is all of that entry.",
        by: "the kernel: each is a map of its own",
    },
    Assumption {
        what: "Tables are as long as `xtask/prove/src/table_sizes.rs` says with the numbers CELLS, SLOTS, COUNTERS, \
               ALL_COUNTERS and ALL_OUTCOMES that a program is loaded with; each of these is below 2^26.",
        by: "user space: it makes the maps (`lb-userspace/src/datapath/store/table.rs`) and the numbers \
             (`lb-userspace/src/datapath/attach/load.rs`) from the same capacities; no map has a value of 2^29 bytes",
    },
    Assumption {
        what: "CELLS is 2^64 >> CELL_SHIFT, and CELL_SHIFT is from 33 to 63.",
        by: "user space: `lb-userspace/src/datapath/attach/load.rs`; `Capacities::cells`",
    },
    Assumption {
        what: "The number that a search returns is 0, or one more than that of a cell in the half that its control \
               word names.",
        by: "`modlb_probe` goes on within a half; user space: a marker of prefixes names a cell of its own half",
    },
    Assumption {
        what: "`data` and `data_end` of the context are the bounds of the frame or of its first buffer, \
               and are the same whenever they are read.",
        by: "the kernel",
    },
    Assumption {
        what: "A frame, and its first buffer, is shorter than 2^32 bytes; where it lies, \
               addresses up to 2^32 behind its start do not wrap around.",
        by: "the kernel: frames have at most some hundred thousand bytes",
    },
    Assumption {
        what: "A frame is at least as long as its first buffer, and a socket buffer as its linear part.",
        by: "the kernel: `bpf_xdp_get_buff_len`, `len` of `__sk_buff`",
    },
    Assumption {
        what: "`len` and `gso_segs` of a socket buffer are the same whenever they are read.",
        by: "the kernel: where the fast path decides, neither path changes the buffer but by its bytes",
    },
    Assumption {
        what: "While a packet is decided about, nobody else writes to it or to the tables.",
        by: "two halves and the control word (ARCHITECTURE.md); counters of a CPU are its own",
    },
    Assumption {
        what: "The number of a CPU is below 2^32, and the same whenever one packet's program asks for it.",
        by: "the kernel: `bpf_get_smp_processor_id`; programs do not migrate",
    },
    Assumption {
        what: "`bpf_redirect_map` without flags returns XDP_REDIRECT or 0: the same whenever one packet's program asks \
               for the same key; and where the frame goes depends on the last key alone.",
        by: "the kernel; user space changes `DEVICES` only before and after it publishes a half that names the device",
    },
    Assumption {
        what: "`bpf_xdp_adjust_head` moves a frame's start and returns 0, or does nothing and returns something else; \
               at least 14 bytes are left, and what is new in front of them may be anything.",
        by: "the kernel",
    },
    Assumption {
        what: "The number INTERFACE_MAC is below 2^48.",
        by: "user space: `lb-userspace/src/datapath/attach/load.rs`",
    },
    Assumption {
        what: "`member` and `steer`: the number GROUP_MAC stays the same.",
        by: "the kernel: it is frozen before the program is loaded",
    },
    Assumption {
        what: "`member` and `steer`: a cell of an address with a port has 0 for the length of a prefix, and if the \
               address is IPv4, for its first half.",
        by: "user space: `lb-userspace/src/datapath/layout/lay_out/mod.rs`",
    },
    Assumption {
        what: "The general path with packets that are not plain, and functions: a frame's first buffer is shorter than 2^15 \
               bytes.",
        by: "nobody where an interface's MTU is larger: the programs keep 15 bits of the place of an upper layer",
    },
    Assumption {
        what: "The lemma about the shortcut alone: where a cell of `CELLS` has the tag of a key that is no prefix's, its \
               field `prefix` is 0, and of IPv4 the upper half of its address.",
        by: "user space: `lb-userspace/src/datapath/layout/lay_out/mod.rs`",
    },
    Assumption {
        what: "A function that programs call out of line returns the same whenever one packet's program calls it with \
               the same arguments.",
        by: "the kernel's verifier: it reads nothing without a value; `xtask/prove/src/pure.rs`: it writes to its \
             stack alone, and reads only tables that the program has not written to",
    },
    Assumption {
        what: "The solver is right when it says that something is impossible, and so is `xtask/prove`.",
        by: "z3; the tests of `lb-prove` and the planted faults",
    },
];

/// The lines of the document's table.
pub fn lines() -> Vec<(String, String)> {
    ALL.iter().map(|Assumption { what, by }| ((*what).to_owned(), (*by).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_is_assumed() {
        let document = include_str!("../../../docs/PROOF.md");
        let (_, table) = document.split_once("| assumption | who sees to it |\n| --- | --- |\n").unwrap();
        let said: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
        let assumed: Vec<_> = lines().into_iter().map(|(what, by)| format!("| {what} | {by} |")).collect();
        assert_eq!(said, assumed);
    }
}
