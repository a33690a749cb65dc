//! Attaches a program to traffic control: by a TCX link or, on kernels before 6.6, by a clsact filter.
//!
//! Trap: a filter is not a link. It cannot be pinned, stays when the command ends, and is removed by its priority and
//! handle alone; so those are chosen and recorded before it is added (see `nic_state`). The qdisc clsact itself stays:
//! others may have filters in it, and an empty one does nothing.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use aya::{
    Ebpf,
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        links::{FdLink, Link as _, PinnedLink},
        tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact},
    },
    util::KernelVersion,
};

use super::{
    names::TcProgram,
    refusal::{refused, root_cause},
};
use crate::{
    datapath::error::{Error, Result},
    net::Interface,
};

/// Filters run in ascending order of priority.
const PRIORITY: u16 = 100;

/// A program on an interface. Dropping it detaches the program.
#[derive(Debug)]
pub(in crate::datapath) enum Attachment {
    /// A link, which can be pinned.
    Link(FdLink),
    /// A filter, which stays if it is forgotten instead of dropped ([`keep`]).
    Filter(SchedClassifierLink),
}

/// Whether the kernel has TCX.
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

/// Finds a regular program in the object file.
pub(in crate::datapath) fn program(ebpf: &mut Ebpf, program: TcProgram) -> Result<&mut SchedClassifier> {
    find(ebpf, program.name)
}

/// Finds a program by its name in the object file.
pub(in crate::datapath) fn find<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    let missing =
        || Error::Io(format!("program {name}"), io::Error::new(io::ErrorKind::NotFound, "not in the object file"));
    Ok(ebpf.program_mut(name).ok_or_else(missing)?.try_into()?)
}

/// Attaches a loaded program by TCX.
pub(in crate::datapath) fn attach_tcx(
    program: &mut SchedClassifier,
    hook: TcAttachType,
    interface: &Interface,
) -> Result<Attachment> {
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let attached = program.attach_with_options(&interface.name, hook, options);
    let id = attached.map_err(|error| not_attached(interface, "by TCX", &error))?;
    let link = program.take_link(id)?;
    Ok(Attachment::Link(FdLink::try_from(link)?))
}

/// Identifies a clsact filter on an interface.
#[derive(Clone, Copy, Debug)]
pub(in crate::datapath) struct FilterKey {
    pub priority: u16,
    pub handle: u32,
}

impl FilterKey {
    /// A key that no other filter has, so that the record can only mean this one.
    pub fn unique() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        let mixed = (now ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { priority: PRIORITY, handle: (mixed >> 32) as u32 | 1 }
    }
}

/// Adds the qdisc clsact, unless it is there.
pub(in crate::datapath) fn add_clsact(interface: &Interface) -> Result<()> {
    match qdisc_add_clsact(&interface.name) {
        Ok(()) | Err(TcError::AlreadyAttached) => Ok(()),
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        Err(error) => Err(refused(interface, &format!("clsact cannot be added: {error}"))),
    }
}

/// Attaches a loaded program by a clsact filter, whose key must be on record already.
pub(in crate::datapath) fn attach_clsact(
    program: &mut SchedClassifier,
    hook: TcAttachType,
    interface: &Interface,
    key: FilterKey,
) -> Result<Attachment> {
    let options = NlOptions { priority: key.priority, handle: TcHandle::from(key.handle), classid: None };
    let attached = program.attach_with_options(&interface.name, hook, TcAttachOptions::Netlink(options));
    let id = attached.map_err(|error| not_attached(interface, "by clsact", &error))?;
    Ok(Attachment::Filter(program.take_link(id)?))
}

/// Replaces the program of a pinned link by a loaded one.
pub(in crate::datapath) fn replace_link(program: &mut SchedClassifier, pin: &std::path::Path) -> Result<()> {
    let link = FdLink::from(PinnedLink::from_pin(pin)?);
    program.attach_to_link(SchedClassifierLink::try_from(link)?)?;
    Ok(())
}

/// Replaces the program of a filter by a loaded one.
pub(in crate::datapath) fn replace_filter(
    program: &mut SchedClassifier,
    hook: TcAttachType,
    name: &str,
    (priority, handle): (u16, u32),
) -> Result<()> {
    let link = filter(name, hook, priority, handle).map_err(Error::io(format!("the filter of {name}")))?;
    let id = program.attach_to_link(link)?;
    keep(program.take_link(id)?);
    Ok(())
}

/// Removes a filter.
pub(in crate::datapath) fn remove_filter(name: &str, hook: TcAttachType, priority: u16, handle: u32) -> io::Result<()> {
    filter(name, hook, priority, handle)?.detach().map_err(io::Error::other)
}

fn filter(name: &str, hook: TcAttachType, priority: u16, handle: u32) -> io::Result<SchedClassifierLink> {
    SchedClassifierLink::attached(name, hook, priority, TcHandle::from(handle), None)
}

/// Keeps a filter attached. Dropping it would remove it.
pub(in crate::datapath) fn keep(filter: SchedClassifierLink) {
    std::mem::forget(filter);
}

fn not_attached(interface: &Interface, how: &str, error: &ProgramError) -> Error {
    refused(interface, &format!("the program cannot be attached {how}: {}", root_cause(error)))
}
