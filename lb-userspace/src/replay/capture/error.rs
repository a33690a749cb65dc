//! Where and why a capture cannot be read on.

use std::{fmt, io};

use pcap_parser::Linktype;

/// Where and why a capture cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}", place = Place { offset: *.offset, packet: *.packet })]
pub struct Error {
    /// Where the record starts that cannot be read, in bytes from the start of the file.
    pub offset: u64,
    /// The number of the packet that would have come next, from 1 on.
    pub packet: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It starts with something else.
    #[error("this is no pcap or pcapng file{hint}", hint = .0.map_or_else(String::new, |is| format!(", but {is}; unpack it first")))]
    Foreign(Option<&'static str>),
    /// A version of the format that nobody writes any more, or not yet.
    #[error("version {0}.{1} of the format is not known; rewrite the file with `tcpdump -r` or `editcap`")]
    Version(u16, u16),
    /// The captured frames are not Ethernet's.
    #[error("the link type is {}, not Ethernet; capture on one Ethernet interface (`tcpdump -i any` does not keep Ethernet headers)", link_type(*.0))]
    LinkType(i32),
    /// The file ends within a record.
    #[error("the file ends in the middle of {what}: {have} of {need} bytes are there")]
    Truncated {
        /// Of what.
        what: &'static str,
        /// Bytes that are there.
        have: usize,
        /// Bytes that the record claims to have.
        need: usize,
    },
    /// A length that nothing of its kind has.
    #[error("{what} claims a length of {length}, which cannot be")]
    Length {
        /// Of what.
        what: &'static str,
        /// What it claims.
        length: u64,
    },
    /// A block that contradicts itself.
    #[error("a block of type {0:#x} is broken")]
    Block(u32),
    /// A packet of an interface that was never described.
    #[error("the packet is of interface {0}, which the file does not describe")]
    Interface(u32),
    /// The file cannot be read.
    #[error("reading fails: {0}")]
    Io(#[source] io::Error),
}

/// Where an error is, for people.
struct Place {
    offset: u64,
    packet: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { offset: 0, .. } => f.write_str("at the start"),
            Self { offset, packet } => write!(f, "at byte {offset}, where packet {packet} should be"),
        }
    }
}

fn link_type(number: i32) -> String {
    let name = Linktype(number).to_string();
    // What it has no name for it writes as the type and the number.
    if name.contains('(') { format!("number {number}") } else { name }
}
