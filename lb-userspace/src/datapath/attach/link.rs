//! Reads what the kernel knows about a pinned link.

use std::{io, os::fd::AsRawFd as _, path::Path};

use aya::programs::{ProgramInfo, loaded_programs};

use super::names;
use crate::datapath::{
    error::{Error, Result},
    sys::{bpf, open_pin},
};

const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// What attaches a program to its interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// An XDP link.
    Xdp,
    /// A TCX link.
    Tcx,
    /// A clsact filter.
    Clsact,
}

impl Holder {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "bpf_link",
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// A program that is attached to an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// What attaches it.
    pub holder: Holder,
    /// The index of its interface; `None`: the interface is gone.
    pub interface: Option<u32>,
    /// The id of its program.
    pub program: u32,
}

/// Asks the kernel about a pinned link. `None`: it is not pinned any more, as readers do not keep a command from
/// detaching.
pub(in crate::datapath) fn query(path: &Path) -> Result<Option<Link>> {
    /// `BPF_LINK_TYPE_TCX`.
    const TCX: u32 = 11;

    /// The head of `struct bpf_link_info`, up to `xdp.ifindex`, which lies where `tcx.ifindex` does.
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
    let link = match open_pin(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        link => link.map_err(failed())?,
    };
    let mut info = Info::default();
    let query = Query { fd: link.as_raw_fd() as u32, length: size_of::<Info>() as u32, info: &raw mut info as u64 };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &query).map_err(failed())?;
    let holder = if info.kind == TCX { Holder::Tcx } else { Holder::Xdp };
    let interface = Some(info.interface).filter(|index| *index != 0);
    Ok(Some(Link { holder, interface, program: info.program }))
}

/// Whether the program with this id is a traced one.
pub(in crate::datapath) fn is_traced(program: u32) -> bool {
    let info = loaded_programs().filter_map(std::result::Result::ok).find(|info| info.id() == program);
    info.is_some_and(|info| info.name_as_str().is_some_and(names::is_traced))
}

/// The id of a pinned program; 0 if it cannot be read.
pub(in crate::datapath) fn program_id(path: &Path) -> u32 {
    ProgramInfo::from_pin(path).map_or(0, |info| info.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As when a command has detached between a reader's listing and its question.
    #[test]
    fn a_pin_that_is_gone_is_no_error() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: asking the kernel about links needs root");
            return;
        }
        assert_eq!(query(Path::new("/sys/fs/bpf/modlb/no-such-instance/link-7")).unwrap(), None);
    }
}
