//! The one bounds check and pointer cast.
//!
//! Trap: the verifier follows a pointer only from the comparison with the packet's end that guards it, so every access
//! goes through [`Packet::header`], whatever is known about lengths already.

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};
use lb_common::outcome::Outcome;

/// The frame between its first and its last byte.
pub struct Packet {
    context: *mut xdp_md,
    start: usize,
    end: usize,
    length: usize,
}

impl Packet {
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        let (start, end) = (context.data(), context.data_end());
        // SAFETY: the kernel hands each program a valid context.
        let length = unsafe {
            (&raw const (*context.ctx).data_end).read_volatile() - (&raw const (*context.ctx).data).read_volatile()
        };
        Self { context: context.ctx, start, end, length: length as usize }
    }

    /// What the kernel handed to the program.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.context
    }

    /// The length of the frame in bytes.
    ///
    /// Taken from reads of its own: were it `end - start`, the compiler would conclude from a check of the IP length that
    /// the packet's end need not be looked at again, and the verifier, which cannot follow that, would refuse the program.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.length
    }

    /// The header of type `T` at `offset`, or `malformed` if the frame ends before it does.
    #[inline(always)]
    pub fn header<T>(&self, offset: usize) -> Result<*mut T, Outcome> {
        let address = self.start + offset;
        if address + size_of::<T>() > self.end {
            return Err(Outcome::Malformed);
        }
        Ok(address as *mut T)
    }
}

/// Reads a number as it stands in the packet by one load.
///
/// Headers stand at any address, and read as unaligned a `u32` would become four loads of a byte. BPF has only the one
/// kind of load, and the verifier refuses it where the hardware would.
///
/// # Safety
///
/// `field` comes from a pointer that [`Packet::header`] returned.
#[inline(always)]
pub unsafe fn load<T: Copy, F>(field: *const F) -> T {
    const { assert!(size_of::<T>() <= size_of::<F>()) };
    // SAFETY: the caller has the bounds; on BPF alignment is the verifier's affair.
    unsafe { *field.cast::<T>() }
}

/// Writes a number by one store; see [`load`].
///
/// # Safety
///
/// `field` comes from a pointer that [`Packet::header`] returned.
#[inline(always)]
pub unsafe fn store<T: Copy, F>(field: *mut F, value: T) {
    const { assert!(size_of::<T>() <= size_of::<F>()) };
    // SAFETY: the caller has the bounds; on BPF alignment is the verifier's affair.
    unsafe { *field.cast::<T>() = value }
}
