//! Where and why a capture cannot be read.

use std::{fmt, io};

use pcap_parser::Linktype;

/// Where and why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}", place = Place { offset: *.offset, packet: *.packet })]
pub struct Error {
    /// The offset of the unreadable record in the file, in bytes.
    pub offset: u64,
    /// The number of the packet that was expected next, starting with 1.
    pub packet: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// It is not a capture.
    #[error("this is not a pcap or pcapng file{hint}", hint = .0.map_or_else(String::new, |is| format!(", but {is}; decompress it first")))]
    Foreign(Option<&'static str>),
    /// An unknown version of the format.
    #[error("version {0}.{1} of the format is unknown; rewrite the file with `tcpdump -r` or `editcap`")]
    Version(u16, u16),
    /// The captured frames are not Ethernet frames.
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
    /// An impossible length.
    #[error("{what} claims an impossible length of {length}")]
    Length {
        /// Of what.
        what: &'static str,
        /// What it claims.
        length: u64,
    },
    /// A block that contradicts itself.
    #[error("a block of type {0:#x} is broken")]
    Block(u32),
    /// A packet of an undescribed interface.
    #[error("the packet belongs to interface {0}, which the file does not describe")]
    Interface(u32),
    /// The file cannot be read.
    #[error("reading fails: {0}")]
    Io(#[source] io::Error),
}

/// The position of an error, for people.
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
    // Unknown types are written as the type and the number.
    if name.contains('(') { format!("number {number}") } else { name }
}
