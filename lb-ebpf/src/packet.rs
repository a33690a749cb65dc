//! The one bounds check and pointer cast.
//!
//! Trap: the verifier permits an access only after it has seen the pointer compared with the packet's end. So every
//! access goes through [`Packet::header`], even where the length is known already.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

#[cfg(target_arch = "bpf")]
use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    helpers::{bpf_skb_pull_data, bpf_xdp_adjust_head, bpf_xdp_get_buff_len},
};
use lb_common::outcome::Outcome;

/// What a program is handed: the kernel's description of a packet.
pub trait Context {
    /// The addresses of the first byte that may be read, and of the first that may not.
    ///
    /// # Safety
    ///
    /// `context` is what the kernel handed to the program, or on the host a live value.
    unsafe fn bounds(context: *mut Self) -> (usize, usize);

    /// The length of the frame in bytes.
    ///
    /// Read from the context once more: were it the difference of the bounds, the compiler would conclude from a check
    /// of the IP length that the packet's end need not be compared again. The verifier cannot follow that and would
    /// reject the program.
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

/// A context whose frame can be made longer or shorter at its start.
pub trait MoveStart: Context {
    /// Moves the frame's start by `by` bytes. `false`: it cannot be moved.
    ///
    /// # Safety
    ///
    /// As for [`Context::bounds`]. Every pointer into the frame is void afterwards.
    unsafe fn move_start(context: *mut Self, by: i32) -> bool;
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

#[cfg(target_arch = "bpf")]
impl MoveStart for xdp_md {
    #[inline(always)]
    unsafe fn move_start(context: *mut Self, by: i32) -> bool {
        // SAFETY: the caller's.
        unsafe { bpf_xdp_adjust_head(context, by) == 0 }
    }
}

/// The context of a program that takes frames in more than one buffer, such as those of several thousand bytes.
///
/// Trap: the bounds are those of the first buffer, the length is the whole frame's. Headers that reach beyond the first
/// buffer count as cut off. Drivers fill it far beyond the headers of any packet that was not made for the purpose.
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
impl MoveStart for MultiBuffer {
    #[inline(always)]
    unsafe fn move_start(context: *mut Self, by: i32) -> bool {
        // SAFETY: the caller's; the types are laid out alike.
        unsafe { xdp_md::move_start(context.cast(), by) }
    }
}

#[cfg(target_arch = "bpf")]
impl Context for __sk_buff {
    #[inline(always)]
    unsafe fn bounds(context: *mut Self) -> (usize, usize) {
        // SAFETY: the caller's.
        unsafe { ((*context).data as usize, (*context).data_end as usize) }
    }

    /// Includes what is not in the linear part.
    #[inline(always)]
    unsafe fn length(context: *mut Self) -> usize {
        // SAFETY: the caller's.
        unsafe { (&raw const (*context).len).read_volatile() as usize }
    }

    /// What a host sends is segmented into frames only after the programs, by the kernel or by the interface.
    #[inline(always)]
    unsafe fn frames(context: *mut Self) -> u64 {
        // SAFETY: the caller's.
        let segments = unsafe { (*context).gso_segs };
        if segments == 0 { 1 } else { segments as u64 }
    }
}

/// A frame in a process's memory: what the parser reads on the host.
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
///
/// Headers borrow it, so that none can be read after the frame has moved:
///
/// ```
/// # use lb_common::outcome::Outcome;
/// # use lb_ebpf::{headers::Ethernet, packet::{MoveStart, Packet, load}};
/// fn shorten<C: MoveStart>(packet: &mut Packet<C>) -> Result<u16, Outcome> {
///     packet.move_start(4)?;
///     let header = packet.header::<Ethernet>(0)?;
///     Ok(load(&header.ether_type))
/// }
/// ```
///
/// ```compile_fail,E0502
/// # use lb_common::outcome::Outcome;
/// # use lb_ebpf::{headers::Ethernet, packet::{MoveStart, Packet, load}};
/// fn shorten<C: MoveStart>(packet: &mut Packet<C>) -> Result<u16, Outcome> {
///     let header = packet.header::<Ethernet>(0)?;
///     packet.move_start(4)?;
///     Ok(load(&header.ether_type))
/// }
/// ```
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
    /// `context` is what the kernel handed to the program, or on the host a value that outlives the packet. Nothing
    /// else moves the frame or writes to it while the packet is in use.
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
    ///
    /// Trap: with one more call in here, callers become too large for rustc's own inliner, and LLVM then packs their
    /// results into numbers and unpacks them.
    #[inline(always)]
    pub fn header<T: Wire>(&self, offset: usize) -> Result<Header<'_, T>, Outcome> {
        let address = self.start + offset;
        if address + size_of::<T>() > self.end {
            return Err(Outcome::Malformed);
        }
        Ok(Header { pointer: pointer(address), packet: PhantomData })
    }

    /// The same, to be written to.
    #[inline(always)]
    pub fn header_mut<T: Wire>(&mut self, offset: usize) -> Result<HeaderMut<'_, T>, Outcome> {
        let Header { pointer, .. } = self.header::<T>(offset)?;
        Ok(HeaderMut { pointer: pointer.cast_mut(), packet: PhantomData })
    }
}

impl<C: MoveStart> Packet<C> {
    /// Moves the frame's start by `by` bytes: a negative number makes room, whose content is unknown.
    ///
    /// # Errors
    ///
    /// `unreachable`: it cannot be moved.
    #[inline(always)]
    pub fn move_start(&mut self, by: i32) -> Result<(), Outcome> {
        // SAFETY: as for `new`; headers borrow `self`, so no pointer into the frame is left.
        if !unsafe { C::move_start(self.context, by) } {
            return Err(Outcome::Unreachable);
        }
        // SAFETY: as for `new`.
        *self = unsafe { Self::new(self.context) };
        Ok(())
    }
}

#[cfg(target_arch = "bpf")]
impl Packet<__sk_buff> {
    /// Moves the first `wanted` bytes into the linear part; `false`: they were there, or cannot be moved.
    #[inline(always)]
    pub fn pull(&mut self, wanted: u32) -> bool {
        // SAFETY: as for `new`.
        let (data, end, length) = unsafe { ((*self.context).data, (*self.context).data_end, (*self.context).len) };
        let wanted = if length < wanted { length } else { wanted };
        // SAFETY: as for `new`; headers borrow `self`, so no pointer into the frame is left.
        if end - data >= wanted || unsafe { bpf_skb_pull_data(self.context, wanted) } != 0 {
            return false;
        }
        // SAFETY: as for `new`.
        *self = unsafe { Self::new(self.context) };
        true
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

/// A part of a packet: any bytes are a valid value.
///
/// # Safety
///
/// The type consists of bytes alone: no field has another type, so that it may stand at any address and has no padding.
pub unsafe trait Wire {}

// SAFETY: a byte.
unsafe impl Wire for u8 {}
// SAFETY: bytes.
unsafe impl<const N: usize> Wire for [u8; N] {}

/// A header within a packet. Valid until the packet moves or is written to; see [`Packet`].
#[derive(Clone, Copy)]
pub struct Header<'packet, T> {
    pointer: *const T,
    packet: PhantomData<&'packet T>,
}

/// A header within a packet that may be written to; see [`Header`].
pub struct HeaderMut<'packet, T> {
    pointer: *mut T,
    packet: PhantomData<&'packet mut T>,
}

impl<T: Wire> Deref for Header<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: `header` has checked the bounds, and any bytes are a `T`.
        unsafe { &*self.pointer }
    }
}

impl<T: Wire> Deref for HeaderMut<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: `header_mut` has checked the bounds, and any bytes are a `T`.
        unsafe { &*self.pointer }
    }
}

impl<T: Wire> DerefMut for HeaderMut<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: `header_mut` has checked the bounds, any bytes are a `T`, and the packet is borrowed for nothing
        // else.
        unsafe { &mut *self.pointer }
    }
}

/// A number that can be read from a packet.
///
/// # Safety
///
/// Any bytes are a valid value.
pub unsafe trait Number: Copy {}

// SAFETY: a number.
unsafe impl Number for u8 {}
// SAFETY: a number.
unsafe impl Number for u16 {}
// SAFETY: a number.
unsafe impl Number for u32 {}
// SAFETY: a number.
unsafe impl Number for u64 {}
// SAFETY: numbers.
unsafe impl<N: Number, const COUNT: usize> Number for [N; COUNT] {}

/// Reads a number as it stands in the packet by one load.
///
/// Headers stand at any address, and an unaligned read of a `u32` would be compiled to four loads of a byte. BPF has
/// one kind of load, and the verifier rejects it where the hardware would.
///
/// Trap: the compiler knows of a field made of bytes that it may be unaligned, and remembers it through pointer casts.
/// A pointer made from a number has no such history.
#[inline(always)]
pub fn load<N: Number, F: Wire>(field: &F) -> N {
    const { assert!(size_of::<N>() <= size_of::<F>()) };
    let field = &raw const *field;
    // SAFETY: the field is as long as the number, any bytes are one, and on BPF alignment is the verifier's affair.
    #[cfg(target_arch = "bpf")]
    return unsafe { *(field.expose_provenance() as *const N) };
    // SAFETY: the field is as long as the number, and any bytes are one.
    #[cfg(not(target_arch = "bpf"))]
    return unsafe { field.cast::<N>().read_unaligned() };
}

/// Writes a number by one store; see [`load`].
#[inline(always)]
pub fn store<N: Number, F: Wire>(field: &mut F, value: N) {
    const { assert!(size_of::<N>() <= size_of::<F>()) };
    let field = &raw mut *field;
    // SAFETY: the field is as long as the number, and on BPF alignment is the verifier's affair.
    #[cfg(target_arch = "bpf")]
    unsafe {
        *(field.expose_provenance() as *mut N) = value;
    }
    // SAFETY: the field is as long as the number.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        field.cast::<N>().write_unaligned(value);
    }
}
