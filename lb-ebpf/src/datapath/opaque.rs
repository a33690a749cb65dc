//! Numbers that verifiers know nothing about.
//!
//! Trap: a verifier follows all later code once for each value, or range of values, that it knows a number to have. A
//! packet's headers may stand at so many offsets that long programs take too long to verify. A global function, which
//! is verified by itself, returns a number of which nothing is known.

/// The same number, below 32,768: larger than any offset, and small enough for the verifier to accept as one.
#[inline(always)]
pub fn offset(number: usize) -> usize {
    modlb_opaque(number as u64) as usize & 0x7fff
}

/// Trap: without the volatile read the compiler would use the argument in place of the result.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_opaque(number: u64) -> u64 {
    // SAFETY: a live value.
    unsafe { (&raw const number).read_volatile() }
}
