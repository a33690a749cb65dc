//! What the kernel knows of a pinned link.

use std::{os::fd::AsRawFd as _, path::Path};

use super::{
    Error, Result,
    sys::{bpf, open_pin},
};

const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// A pinned link of an XDP program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// The index of its interface; `None`: the interface is gone, and the link holds nothing any more.
    pub interface: Option<u32>,
    /// The id of its program.
    pub program: u32,
}

/// Asks the kernel about a pinned link.
pub(super) fn look(path: &Path) -> Result<Link> {
    /// The head of `struct bpf_link_info`, as far as `xdp.ifindex`.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        program: u32,
        padding: u32,
        interface: u32,
        tail: u32,
    }
    #[repr(C)]
    struct Query {
        fd: u32,
        length: u32,
        info: u64,
    }
    let failed = || Error::io(format!("asking about {}", path.display()));
    let link = open_pin(path).map_err(failed())?;
    let mut info = Info::default();
    let query = Query { fd: link.as_raw_fd() as u32, length: size_of::<Info>() as u32, info: &raw mut info as u64 };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &query).map_err(failed())?;
    Ok(Link { interface: Some(info.interface).filter(|index| *index != 0), program: info.program })
}
