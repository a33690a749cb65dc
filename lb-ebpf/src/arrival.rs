//! What the benchmark's sink tells of the frames that come to it.

/// The sink counts frames for so many servers, by the last byte of their MAC, and all others in one more place.
pub const SERVERS: usize = 256;

/// How many frames are recorded.
pub const RECORDS: usize = 4_096;

/// How much of each: up to the ports of an IPv6 packet.
pub const RECORD_BYTES: usize = 56;

/// A recorded frame, as words in its order.
pub type Record = [u64; RECORD_BYTES / 8];
