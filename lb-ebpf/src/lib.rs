//! How modlb reads a packet: frame → flow, or the reason why not.
//!
//! A library of its own, so that the very code that runs in the kernel also runs on the host, where captures are judged
//! and fuzzers look for what breaks it. The programs (`main.rs`) add the tables, the counters and the writing.

#![no_std]
#![expect(missing_docs, reason = "what is self-evident needs no words; whatever has a shape or a trap is documented")]

#[cfg(feature = "bench")]
pub mod arrival;
mod chain;
pub mod headers;
mod icmp;
#[cfg(feature = "bench")]
pub mod load;
pub mod packet;
pub mod parse;
pub mod plain;
mod quote;

/// Says of a condition that it nearly always holds, so that what happens then is laid out in one line.
#[inline(always)]
pub fn likely(condition: bool) -> bool {
    if !condition {
        cold();
    }
    condition
}

/// Calls of it make a branch one that is seldom taken.
#[cold]
#[inline(always)]
const fn cold() {}
