//! Instructions for the benchmark's driver: which packets to make, and which program to run on them.
//!
//! Trap: a load that is wider than the store before it, or spans two, waits until the stores have left the store
//! buffer. A packet from a network card never causes that. So the driver writes whole words, each of which covers what
//! a program reads there.

/// The value of the map `LOAD`, written by user space between runs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The state of the random number generator; never 0.
    pub random: u64,
    /// The frame's first eight bytes, as a number.
    pub head: u64,
    /// The four bytes after them.
    pub tail: u32,
    /// The bits of a random number that choose the client.
    pub clients: u32,
    /// The bits of the same number that choose the service.
    pub services: u32,
    /// The program's place in the driver's program array.
    pub program: u32,
    /// What to write behind that; the first with the offset 0 ends the list.
    pub writes: [Write; Load::WRITES],
}

/// Eight bytes of the frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Write {
    /// What to write, as a number.
    pub base: u64,
    /// The factor by which the client's 16 bits, in network byte order, are multiplied before they are added.
    pub client: u64,
    /// The same for the service's 16 bits.
    pub service: u64,
    /// Where.
    pub offset: u64,
}

impl Load {
    /// An ICMP error has three: its own addresses, and both of the packet that it quotes.
    pub const WRITES: usize = 4;
}

const _: () = assert!(size_of::<Write>() == 32);
const _: () = assert!(size_of::<Load>() == 32 + 32 * Load::WRITES);
