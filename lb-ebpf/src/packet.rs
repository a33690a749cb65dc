//! The one bounds check and pointer cast.
//!
//! Trap: the verifier follows a pointer only from the comparison with the packet's end that guards it, so every access
//! goes through [`Packet::header`], whatever is known about lengths already.

#[cfg(target_arch = "bpf")]
use aya_ebpf::bindings::xdp_md;
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
            ((&raw const (*context).data_end).read_volatile() - (&raw const (*context).data).read_volatile()) as usize
        }
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
        let range = unsafe { (*context).0 }.as_ptr_range();
        (range.start.expose_provenance(), range.end.expose_provenance())
    }

    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        unsafe { (*context).0 }.len()
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
/// # Safety
///
/// `field` comes from a pointer that [`Packet::header`] returned.
#[inline(always)]
pub unsafe fn load<T: Copy, F>(field: *const F) -> T {
    const { assert!(size_of::<T>() <= size_of::<F>()) };
    // SAFETY: the caller has the bounds; on BPF alignment is the verifier's affair.
    #[cfg(target_arch = "bpf")]
    return unsafe { *field.cast::<T>() };
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
    unsafe { *field.cast::<T>() = value }
}
