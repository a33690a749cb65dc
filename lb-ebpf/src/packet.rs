//! The one bounds check and pointer cast.
//!
//! Trap: the verifier follows a pointer only from the comparison with the packet's end that guards it, so every access
//! goes through [`Packet::header`], whatever is known about lengths already.

#[cfg(target_arch = "bpf")]
use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    helpers::bpf_xdp_get_buff_len,
};
use lb_common::outcome::Outcome;

/// What a program is handed of a packet.
pub trait Context {
    /// The addresses of the first byte that may be read, and of the first that may not.
    ///
    /// # Safety
    ///
    /// `context` is what the kernel handed to the program, or on the host a live value.
    unsafe fn bounds(context: *mut Self) -> (usize, usize);

    /// The length of the frame in bytes.
    ///
    /// Taken from reads of its own: were it the difference of the bounds, the compiler would conclude from a check of the
    /// IP length that the packet's end need not be looked at again, and the verifier, which cannot follow that, would
    /// refuse the program.
    ///
    /// # Safety
    ///
    /// As for [`Context::bounds`].
    unsafe fn length(context: *mut Self) -> usize;

    /// How many frames it becomes on the wire.
    ///
    /// # Safety
    ///
    /// As for [`Context::bounds`].
    #[inline(always)]
    unsafe fn frames(_context: *mut Self) -> u64 {
        1
    }
}

#[cfg(target_arch = "bpf")]
impl Context for xdp_md {
    #[inline(always)]
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's.
        unsafe { ((*context).data as usize, (*context).data_end as usize) }
    }

    #[inline(always)]
    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        unsafe {
            let end = (&raw const (*context).data_end).read_volatile() as usize;
            end - (&raw const (*context).data).read_volatile() as usize
        }
    }
}

/// What the kernel hands to a program that takes frames in more than one buffer, as those of several thousand bytes are.
///
/// Trap: the bounds are those of the first buffer, the length is the whole frame's. Headers that reach beyond the first
/// buffer count as cut off; drivers put far more into it than any packet has headers but one that was made for the purpose.
#[cfg(target_arch = "bpf")]
#[repr(transparent)]
pub struct MultiBuffer(xdp_md);

#[cfg(target_arch = "bpf")]
impl Context for MultiBuffer {
    #[inline(always)]
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's; the types are laid out alike.
        unsafe { xdp_md::bounds(context.cast()) }
    }

    #[inline(always)]
    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's; the types are laid out alike.
        unsafe { bpf_xdp_get_buff_len(context.cast()) as usize }
    }
}

#[cfg(target_arch = "bpf")]
impl Context for __sk_buff {
    #[inline(always)]
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's.
        unsafe { ((*context).data as usize, (*context).data_end as usize) }
    }

    /// What is not in the linear part counts as well.
    #[inline(always)]
    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        unsafe { (&raw const (*context).len).read_volatile() as usize }
    }

    /// What a host sends is cut into frames only behind the programs, by itself or by the interface.
    #[inline(always)]
    unsafe fn frames(context: *mut Self) -> u64 {
        // SAFETY: the caller's.
        let segments = unsafe { (*context).gso_segs };
        if segments == 0 { 1 } else { segments as u64 }
    }
}

/// A frame in the memory of a process: what the parser is handed on the host.
#[cfg(not(target_arch = "bpf"))]
#[derive(Debug)]
pub struct Memory<'a>(pub &'a [u8]);

#[cfg(not(target_arch = "bpf"))]
impl Context for Memory<'_> {
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's.
        let Self(frame) = unsafe { &*context };
        let range = frame.as_ptr_range();
        (range.start.expose_provenance(), range.end.expose_provenance())
    }

    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        let Self(frame) = unsafe { &*context };
        frame.len()
    }
}

/// The frame between its first and its last byte.
pub struct Packet<C> {
    context: *mut C,
    start: usize,
    end: usize,
    length: usize,
}

impl<C: Context> Packet<C> {
    /// The packet that a program was handed.
    ///
    /// # Safety
    ///
    /// `context` is what the kernel handed to the program, or on the host a value that outlives the packet.
    #[inline(always)]
    pub unsafe fn new(context: *mut C) -> Self {
        // SAFETY: the caller's.
        let ((start, end), length) = unsafe { (C::bounds(context), C::length(context)) };
        Self { context, start, end, length }
    }

    /// What the kernel handed to the program.
    #[inline(always)]
    pub fn context(&self) -> *mut C {
        self.context
    }

    /// The length of the frame in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no frame is empty")]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.length
    }

    /// How many frames it becomes on the wire.
    #[inline(always)]
    pub fn frames(&self) -> u64 {
        // SAFETY: as for `new`.
        unsafe { C::frames(self.context) }
    }

    /// The header of type `T` at `offset`, or `malformed` if the frame ends before it does.
    #[inline(always)]
    pub fn header<T>(&self, offset: usize) -> Result<*mut T, Outcome> {
        let address = self.start + offset;
        if address + size_of::<T>() > self.end {
            return Err(Outcome::Malformed);
        }
        Ok(pointer(address))
    }
}

/// The pointer to an address in a packet.
#[inline(always)]
fn pointer<T>(address: usize) -> *mut T {
    #[cfg(target_arch = "bpf")]
    return address as *mut T;
    #[cfg(not(target_arch = "bpf"))]
    return core::ptr::with_exposed_provenance_mut(address);
}

/// Reads a number as it stands in the packet by one load.
///
/// Headers stand at any address, and read as unaligned a `u32` would become four loads of a byte. BPF has only the one
/// kind of load, and the verifier refuses it where the hardware would.
///
/// Trap: the compiler knows of a field of a packed header that it may be unaligned, also through a raw pointer. Made from a
/// number, the pointer has no such past.
///
/// # Safety
///
/// `field` comes from a pointer that [`Packet::header`] returned.
#[inline(always)]
pub unsafe fn load<T: Copy, F>(field: *const F) -> T {
    const { assert!(size_of::<T>() <= size_of::<F>()) };
    // SAFETY: the caller has the bounds; on BPF alignment is the verifier's affair.
    #[cfg(target_arch = "bpf")]
    return unsafe { *(field.expose_provenance() as *const T) };
    // SAFETY: the caller has the bounds.
    #[cfg(not(target_arch = "bpf"))]
    return unsafe { field.cast::<T>().read_unaligned() };
}

/// Writes a number by one store; see [`load`].
///
/// # Safety
///
/// `field` comes from a pointer that [`Packet::header`] returned.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub unsafe fn store<T: Copy, F>(field: *mut F, value: T) {
    const { assert!(size_of::<T>() <= size_of::<F>()) };
    // SAFETY: the caller has the bounds; on BPF alignment is the verifier's affair.
    unsafe { *(field.expose_provenance() as *mut T) = value }
}
