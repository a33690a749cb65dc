//! How modlb reads a packet: frame → flow, or the reason why not.
//!
//! It is a library, so that the same code runs in the kernel and on the host, where captures are judged and fuzzers
//! look for inputs that break it. The programs (`main.rs`, `traced.rs`) add the tables, the counters and the
//! rewriting.

#![no_std]
#![expect(missing_docs, reason = "what is self-evident needs no words; whatever has a shape or a trap is documented")]

#[cfg(feature = "bench")]
pub mod arrival;
pub mod ethernet;
mod ext_headers;
pub mod fast_path;
pub mod headers;
pub mod hint;
mod icmp;
pub mod ip;
#[cfg(feature = "bench")]
pub mod load;
mod object;
pub mod opaque;
pub mod packet;
pub mod parse;
mod quote;
pub mod upper;
