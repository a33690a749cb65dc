//! Hints to the compiler about branches.

/// Marks a condition that nearly always holds, so that the code for it runs straight on.
#[inline(always)]
pub fn likely(condition: bool) -> bool {
    if !condition {
        cold();
    }
    condition
}

/// A branch that calls this is laid out as one that is seldom taken.
#[cold]
#[inline(always)]
const fn cold() {}
