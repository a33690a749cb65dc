//! Waits until every program that is running now has ended.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    slice,
};

use crate::datapath::{
    error::{Error, Result},
    sys::{BPF_MAP_TYPE_ARRAY, Create, create, update},
};

/// `MEMBARRIER_CMD_GLOBAL` of membarrier(2): waits for an RCU grace period.
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;

/// Waits for the end of every program that is running at the time of the call. After that no program reads a half that
/// was deactivated before.
///
/// With nohz_full the kernel refuses membarrier's global command, and with one CPU online it returns at once. There an
/// update of a map of maps waits for the same (`maybe_wait_bpf_programs`, since Linux 4.20).
pub fn wait() -> Result<()> {
    // SAFETY: takes a number.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    // SAFETY: takes numbers.
    if membarrier_waits(online) && unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } == 0 {
        return Ok(());
    }
    update_map_of_maps().map_err(Error::io("waiting for running programs to end"))
}

/// Whether membarrier's global command waits for anything, with this many CPUs online (negative: not known). With one
/// it takes it for granted that nothing else runs, but on a kernel with PREEMPT_RT a program may have been preempted.
const fn membarrier_waits(online: libc::c_long) -> bool {
    online > 1
}

const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

fn update_map_of_maps() -> io::Result<()> {
    let array =
        Create { map_type: BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 4, max_entries: 1, ..Create::default() };
    let inner = create(&array)?;
    let inner_fd = inner.as_raw_fd() as u32;
    let outer = create(&Create { map_type: BPF_MAP_TYPE_ARRAY_OF_MAPS, inner_map_fd: inner_fd, ..array })?;
    update(outer.as_fd(), 0, slice::from_ref(&inner_fd))
}

#[cfg(test)]
mod tests {
    /// As root, since an update of a map of maps may take the place of membarrier.
    #[test]
    fn waiting_works() {
        if nix::unistd::geteuid().is_root() {
            super::wait().unwrap();
        }
    }

    #[test]
    fn with_one_cpu_online_or_an_unknown_number_membarrier_is_not_relied_on() {
        for (online, waits) in [(-1, false), (0, false), (1, false), (2, true), (240, true)] {
            assert_eq!(super::membarrier_waits(online), waits, "{online} CPUs");
        }
    }

    #[test]
    fn updating_a_map_of_maps_works() {
        if nix::unistd::geteuid().is_root() {
            super::update_map_of_maps().unwrap();
        }
    }
}
