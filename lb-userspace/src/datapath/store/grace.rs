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
/// With nohz_full the kernel refuses membarrier's global command. There an update of a map of maps waits for the same
/// (`maybe_wait_bpf_programs`, since Linux 4.20).
pub fn wait() -> Result<()> {
    // SAFETY: takes numbers.
    if unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } == 0 {
        return Ok(());
    }
    update_map_of_maps().map_err(Error::io("waiting for running programs to end"))
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
    #[test]
    fn membarrier_works() {
        super::wait().unwrap();
    }

    #[test]
    fn updating_a_map_of_maps_works() {
        if nix::unistd::geteuid().is_root() {
            super::update_map_of_maps().unwrap();
        }
    }
}
