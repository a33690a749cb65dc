//! Tables as the kernel has them: each the only value of an array, mapped into this process.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    ptr::NonNull,
};

use anyhow::{Context as _, Result};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_F_MMAPABLE: u32 = 1 << 10;

/// The head of `union bpf_attr` for a new map.
#[repr(C)]
struct Create {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// A new array with one value of so many bytes.
pub fn create(bytes: u64) -> Result<OwnedFd> {
    let value_size = u32::try_from(bytes).context("a table is too long for a kernel")?;
    let attributes =
        Create { map_type: BPF_MAP_TYPE_ARRAY, key_size: 4, value_size, max_entries: 1, map_flags: BPF_F_MMAPABLE };
    // SAFETY: the kernel only reads the attributes, whose size is given.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, std::ptr::from_ref(&attributes), size_of::<Create>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("the kernel makes no table of {bytes} bytes"));
    }
    // SAFETY: the kernel has just made the descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A map's memory.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    length: usize,
}

impl Memory {
    /// That of a map that may be mapped.
    pub fn of(map: impl AsFd, bytes: u64) -> Result<Self> {
        let length = usize::try_from(bytes)?;
        let pages = NonZeroUsize::new(length).context("a table is empty")?;
        let fd = map.as_fd().as_raw_fd();
        // SAFETY: a new mapping, shared with the kernel's programs, which run only while this thread waits for them.
        let start =
            unsafe { mmap(None, pages, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, map, 0) };
        let start = start.with_context(|| format!("mapping the memory of map {fd}"))?;
        Ok(Self { start: start.cast(), length })
    }

    pub const fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as `self`; no program runs while the slice is held.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the same.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nothing refers to it any more.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}
