//! Numbers that verifiers know nothing about.
//!
//! Trap: a verifier follows all later code once for each value, or range of values, that it knows a number to have. A
//! packet's headers may stand at so many offsets that long programs take too long to verify. A global function, which
//! is verified by itself, returns a number of which nothing is known.

/// Larger than any offset, and small enough for the verifier to accept it as one.
const MASK: u64 = 0x7fff;

/// The same number.
#[inline(always)]
pub fn number(number: u64) -> u64 {
    modlb_opaque(number)
}

/// The same offset.
#[inline(always)]
pub fn offset(offset: usize) -> usize {
    (modlb_opaque(offset as u64) & MASK) as usize
}

/// The same two offsets, for the price of one call.
#[inline(always)]
pub fn offsets([one, other]: [usize; 2]) -> [usize; 2] {
    const BITS: u32 = u16::BITS;
    let both = modlb_opaque(one as u64 | (other as u64) << BITS);
    [(both & MASK) as usize, (both >> BITS & MASK) as usize]
}

/// Trap: without the volatile read the compiler would use the argument in place of the result.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_opaque(number: u64) -> u64 {
    // SAFETY: a live value.
    unsafe { (&raw const number).read_volatile() }
}
