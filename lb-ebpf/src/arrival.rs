//! What the benchmark's sink reports of the frames that arrive.

/// The sink has a counter for each of this many servers, by the last byte of the MAC, and one more for all other
/// frames.
pub const SERVERS: usize = 256;

/// The most frames that are recorded.
pub const RECORDS: usize = 4_096;

/// The bytes of each that are recorded: up to the ports of an IPv6 packet.
pub const RECORD_BYTES: usize = 56;

/// A recorded frame, as words in the frame's order.
pub type Record = [u64; RECORD_BYTES / 8];
