//! Maps by the kernel's own interface, whatever they hold.

use std::{
    ffi::CString,
    fs, io,
    num::NonZeroUsize,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
    ptr::NonNull,
    slice,
};

use aya::maps::{MapData, MapInfo};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_OBJ_PIN: libc::c_int = 6;

const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_F_MMAPABLE: u32 = 1 << 10;

fn bpf<T>(command: libc::c_int, attributes: &T) -> libc::c_long {
    // SAFETY: the attributes have the size that is given, and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    assert!(result >= 0, "bpf({command}): {}", io::Error::last_os_error());
    result
}

/// The size of a value of a pinned map, and how many it has.
pub fn size(pin: &Path) -> (usize, usize) {
    let info = MapInfo::from_pin(pin).unwrap();
    (info.value_size() as usize, info.max_entries() as usize)
}

/// The values of a pinned map.
///
/// `T` is one of the records that maps hold, which are made of numbers.
pub fn values<T: Copy>(pin: &Path) -> Vec<T> {
    let (value, length) = size(pin);
    assert_eq!(value, size_of::<T>(), "{}", pin.display());
    let map = MapData::from_pin(pin).unwrap();
    with_memory(map.fd().as_fd().as_raw_fd(), length * size_of::<T>(), |memory| {
        // SAFETY: the memory holds that many values, which are numbers, and is aligned to a page.
        unsafe { slice::from_raw_parts(memory.cast::<T>().as_ptr(), length) }.to_vec()
    })
}

/// The bytes of a pinned map.
pub fn bytes(pin: &Path) -> Vec<u8> {
    let (value, length) = size(pin);
    let map = MapData::from_pin(pin).unwrap();
    with_memory(map.fd().as_fd().as_raw_fd(), value * length, |memory| {
        // SAFETY: the memory is that long.
        unsafe { slice::from_raw_parts(memory.cast::<u8>().as_ptr(), value * length) }.to_vec()
    })
}

/// Makes a map of these values, in the place of what is pinned there.
pub fn replace<T: Copy>(pin: &Path, values: &[T]) {
    // SAFETY: the values are made of numbers.
    let bytes = unsafe { slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
    replace_by(pin, size_of::<T>(), bytes);
}

/// The same, of values of this size.
pub fn replace_by(pin: &Path, value: usize, bytes: &[u8]) {
    #[repr(C)]
    struct Create {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        map_flags: u32,
    }
    #[repr(C)]
    struct Pin {
        path: u64,
        fd: u32,
        flags: u32,
    }
    let create = Create {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: value as u32,
        max_entries: (bytes.len() / value) as u32,
        map_flags: BPF_F_MMAPABLE,
    };
    // SAFETY: the kernel has just made the descriptor.
    let map = unsafe { OwnedFd::from_raw_fd(bpf(BPF_MAP_CREATE, &create) as i32) };
    with_memory(map.as_raw_fd(), bytes.len(), |memory| {
        // SAFETY: the memory has room for the bytes, and is not part of them.
        unsafe { memory.cast::<u8>().copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    });
    fs::remove_file(pin).unwrap();
    let path = CString::new(pin.to_str().unwrap()).unwrap();
    bpf(BPF_OBJ_PIN, &Pin { path: path.as_ptr() as u64, fd: map.as_raw_fd() as u32, flags: 0 });
}

fn with_memory<R>(map: i32, bytes: usize, work: impl FnOnce(NonNull<u8>) -> R) -> R {
    // SAFETY: the caller's descriptor is open.
    let map = unsafe { std::os::fd::BorrowedFd::borrow_raw(map) };
    let (length, access) = (NonZeroUsize::new(bytes).unwrap(), ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let memory = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, map, 0) }.unwrap();
    let result = work(memory.cast());
    // SAFETY: nothing uses it any more.
    unsafe { munmap(memory, bytes) }.unwrap();
    result
}
