//! What proofs rest on. docs/PROOF.md repeats it line by line; a test compares them.

use crate::contracts::{self, Function};

/// An assumption, and who sees to it that it holds.
#[derive(Debug)]
pub struct Assumption {
    pub what: &'static str,
    pub by: &'static str,
}

/// Frames are shorter than 2^32 bytes.
pub const LENGTH_BITS: u32 = 32;
/// Places in the first buffer, for the theorem about the general path alone.
pub const PLACE_BITS: u32 = 15;
pub const CPU_BITS: u32 = 32;
pub const SEGMENTS_BITS: u32 = 32;
/// The upper 16 bits of the interface's MAC are zeros.
pub const MAC_BITS: u32 = 48;

/// All of them.
pub const ALL: [Assumption; 15] = [
    Assumption {
        what: "The kernel executes instructions as RFC 9669 says, and so does the code that it compiles them to.",
        by: "the kernel: its rewriting of programs and its JIT compiler",
    },
    Assumption {
        what: "Programs stay within their memory: entries of tables lie within the table, \
               and tables are apart from each other.",
        by: "the kernel's verifier, which has accepted the program",
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
        what: "The number INTERFACE_MAC is below 2^48.",
        by: "user space: `lb-userspace/src/datapath/attach/load.rs`",
    },
    Assumption {
        what: "`member` and `steer`: the number CELLS is 2^64 >> CELL_SHIFT, and CELL_SHIFT is from 32 to 63.",
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
        what: "The second theorem alone: a frame's first buffer is shorter than 2^15 bytes.",
        by: "nobody where an interface's MTU is larger: the programs keep 15 bits of the place of an upper layer",
    },
    Assumption {
        what: "The solver is right when it says that something is impossible, and so is `xtask/prove`.",
        by: "z3; the tests of `lb-prove` and the planted faults",
    },
];

/// The lines of the document's table: of all of these, and of each function that is not looked into.
pub fn lines() -> Vec<(String, String)> {
    let fixed = ALL.iter().map(|Assumption { what, by }| ((*what).to_owned(), (*by).to_owned()));
    fixed.chain(contracts::FUNCTIONS.iter().map(of_function)).collect()
}

fn of_function(Function { name, symbol: _, arguments }: &Function) -> (String, String) {
    let what = format!(
        "`{name}` returns the same whenever one packet's program calls it with the same {} arguments.",
        arguments.len()
    );
    let by = "the kernel's verifier: it reads nothing without a value; `xtask/prove/src/pure.rs`: it writes to its \
              stack alone, and reads only tables that the program has not written to";
    (what, by.into())
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
