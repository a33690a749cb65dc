//! The program on what a host sends: by a TCX link or, on kernels before 6.6, by a filter of clsact.
//!
//! Trap: a filter is no link. It cannot be pinned, stays when the command ends, and goes only when it is removed by its
//! priority and handle; so those are chosen and written down before it is made (see `held`). The queueing discipline
//! clsact itself stays: others may have filters in it, and an empty one does nothing.

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
    names::STEER,
    refusal::{refused, root_cause},
};
use crate::{
    datapath::error::{Error, Result},
    net::Interface,
};

/// Among filters, where nobody says otherwise the first is the one with the lowest number.
const PRIORITY: u16 = 100;

/// A program on what an interface sends. Dropped, it is detached.
#[derive(Debug)]
pub(in crate::datapath) enum Egress {
    /// Can be pinned.
    Link(FdLink),
    /// Stays where it is once it is let go.
    Filter(SchedClassifierLink),
}

/// Whether the kernel has TCX.
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

/// The program of an object.
pub(in crate::datapath) fn program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier> {
    named(ebpf, STEER)
}

/// The program of this name.
pub(in crate::datapath) fn named<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    let missing =
        || Error::Io(format!("program {name}"), io::Error::new(io::ErrorKind::NotFound, "not in the object file"));
    Ok(ebpf.program_mut(name).ok_or_else(missing)?.try_into()?)
}

/// Attaches a loaded program by TCX.
pub(in crate::datapath) fn attach_tcx(program: &mut SchedClassifier, interface: &Interface) -> Result<Egress> {
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let attached = program.attach_with_options(&interface.name, TcAttachType::Egress, options);
    let id = attached.map_err(|error| not_attached(interface, "by TCX", &error))?;
    let link = program.take_link(id)?;
    Ok(Egress::Link(FdLink::try_from(link)?))
}

/// A filter of clsact on what an interface sends.
#[derive(Clone, Copy, Debug)]
pub(in crate::datapath) struct FilterKey {
    pub priority: u16,
    pub handle: u32,
}

impl FilterKey {
    /// One that no other filter has, so that what is written down can only mean this one.
    pub fn unique() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        let mixed = (now ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { priority: PRIORITY, handle: (mixed >> 32) as u32 | 1 }
    }
}

/// Adds the queueing discipline clsact, unless it is there.
pub(in crate::datapath) fn add_clsact(interface: &Interface) -> Result<()> {
    match qdisc_add_clsact(&interface.name) {
        Ok(()) | Err(TcError::AlreadyAttached) => Ok(()),
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        Err(error) => Err(refused(interface, &format!("clsact cannot be added: {error}"))),
    }
}

/// Attaches a loaded program by a filter of clsact, which must be on record already.
pub(in crate::datapath) fn attach_clsact(
    program: &mut SchedClassifier,
    interface: &Interface,
    key: FilterKey,
) -> Result<Egress> {
    let options = NlOptions { priority: key.priority, handle: TcHandle::from(key.handle), classid: None };
    let attached =
        program.attach_with_options(&interface.name, TcAttachType::Egress, TcAttachOptions::Netlink(options));
    let id = attached.map_err(|error| not_attached(interface, "by clsact", &error))?;
    Ok(Egress::Filter(program.take_link(id)?))
}

/// Puts a loaded program in the place of that of a pinned link.
pub(in crate::datapath) fn replace_link(program: &mut SchedClassifier, pin: &std::path::Path) -> Result<()> {
    let link = FdLink::from(PinnedLink::from_pin(pin)?);
    program.attach_to_link(SchedClassifierLink::try_from(link)?)?;
    Ok(())
}

/// Puts a loaded program in the place of that of a filter.
pub(in crate::datapath) fn replace_filter(
    program: &mut SchedClassifier,
    name: &str,
    priority: u16,
    handle: u32,
) -> Result<()> {
    let link = filter(name, priority, handle).map_err(Error::io(format!("the filter of {name}")))?;
    let id = program.attach_to_link(link)?;
    keep(program.take_link(id)?);
    Ok(())
}

/// Removes a filter.
pub(in crate::datapath) fn remove_filter(name: &str, priority: u16, handle: u32) -> io::Result<()> {
    filter(name, priority, handle)?.detach().map_err(io::Error::other)
}

fn filter(name: &str, priority: u16, handle: u32) -> io::Result<SchedClassifierLink> {
    SchedClassifierLink::attached(name, TcAttachType::Egress, priority, TcHandle::from(handle), None)
}

/// Lets go of a filter without removing it, which is what dropping it does.
pub(in crate::datapath) fn keep(filter: SchedClassifierLink) {
    std::mem::forget(filter);
}

fn not_attached(interface: &Interface, how: &str, error: &ProgramError) -> Error {
    refused(interface, &format!("the program cannot be attached {how}: {}", root_cause(error)))
}
