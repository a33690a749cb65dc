//! What the benchmark's driver is told: which packets to make, and which program to hand them to.
//!
//! Trap: a load that is wider than the store before it, or crosses two, waits until both have left the store buffer, which
//! no packet from a network card would cause. So the driver writes whole words that cover whatever a program reads there.

/// In the map `LOAD`, written by user space between runs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The random number before the next; never 0.
    pub random: u64,
    /// The frame's first eight bytes, as a number.
    pub head: u64,
    /// The four bytes after them.
    pub tail: u32,
    /// Which bits of a random number choose the client.
    pub clients: u32,
    /// Which bits of another choose the service.
    pub services: u32,
    /// The program's place in the driver's program array.
    pub program: u32,
    /// What to write further on; the first with the offset 0 ends the list.
    pub writes: [Write; Load::WRITES],
}

/// Eight bytes of the frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Write {
    /// What to write, as a number.
    pub base: u64,
    /// What the client's 16 bits, in network byte order, are multiplied by before they are added.
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
