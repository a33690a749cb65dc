//! The few bpf(2) calls that aya does not expose.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_LINK_UPDATE: libc::c_int = 29;

/// Array maps, and the flag that lets user space map their memory.
pub(super) const BPF_MAP_TYPE_ARRAY: u32 = 2;
pub(super) const BPF_F_MMAPABLE: u32 = 1 << 10;

/// Hash tables of network devices.
pub(super) const BPF_MAP_TYPE_DEVMAP_HASH: u32 = 25;

/// Calls bpf(2) with the head of a `union bpf_attr`; the kernel takes missing fields as zero.
pub(super) fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: `attributes` has the size that is given; the callers' pointers in it outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}

/// Lifts the limit on locked memory, which Linux below 5.11 charges for maps and programs. If this process may not,
/// maps fail where that matters, and only there.
pub(super) fn lift_memory_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel only reads `limit`, which outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
        log::debug!("the limit on locked memory stays as it is: {}", io::Error::last_os_error());
    }
}

/// Attributes of a new map.
#[repr(C)]
#[derive(Default)]
pub(super) struct Create {
    pub map_type: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub map_flags: u32,
    pub inner_map_fd: u32,
    pub numa_node: u32,
    /// What tools call it, with a zero at the end.
    pub name: [u8; NAME_BYTES],
}

/// The kernel's `BPF_OBJ_NAME_LEN`.
const NAME_BYTES: usize = 16;

impl Create {
    /// The same with a name, of which the kernel keeps the first 15 bytes.
    pub fn named(mut self, name: &str) -> Self {
        for (place, byte) in self.name[..NAME_BYTES - 1].iter_mut().zip(name.bytes()) {
            *place = byte;
        }
        self
    }
}

/// Creates a map.
pub(super) fn create(attributes: &Create) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made the descriptor for this process.
    bpf(BPF_MAP_CREATE, attributes).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets one element of a map. `value` must have the size of the map's values.
pub(super) fn update<T>(map: BorrowedFd<'_>, key: u32, value: &[T]) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        map_fd: u64,
        key: u64,
        value: u64,
        flags: u64,
    }
    let update =
        Update { map_fd: map.as_raw_fd() as u64, key: &raw const key as u64, value: value.as_ptr() as u64, flags: 0 };
    bpf(BPF_MAP_UPDATE_ELEM, &update).map(drop)
}

/// Attributes for pinning, and for opening a pin.
#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Opens the object that is pinned at a path.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the kernel has just made the descriptor for this process.
    bpf(BPF_OBJ_GET, &Pin { path: path.as_ptr() as u64, fd: 0, flags: 0 }).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins an object at a path.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    bpf(BPF_OBJ_PIN, &Pin { path: path.as_ptr() as u64, fd: object.as_raw_fd() as u32, flags: 0 }).map(drop)
}

/// Replaces the program of a link. Every packet meets either the old or the new one.
pub(super) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        link_fd: u32,
        new_program_fd: u32,
        flags: u32,
        old_program_fd: u32,
    }
    let (link_fd, new_program_fd) = (link.as_raw_fd() as u32, program.as_raw_fd() as u32);
    bpf(BPF_LINK_UPDATE, &Update { link_fd, new_program_fd, flags: 0, old_program_fd: 0 }).map(drop)
}
