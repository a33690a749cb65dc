//! Chooses between a program's two variants: for frames in one buffer, and for frames in several.
//!
//! A driver hands over a frame in one buffer of at most a page, unless the program declares that it takes more. Only
//! the driver knows what fits in one buffer: it needs headroom and tailroom, and a veth goes by its peer's MTU. So the
//! variant for one buffer, which is faster, is tried first, and the other one if the driver refuses it.
//!
//! Trap: aya falls back from bpf_link to netlink where the kernel refuses a link. Such an attachment cannot be pinned,
//! and anyone can replace it; so it is undone and refused here.

use std::io;

use aya::{
    Ebpf,
    programs::{ProgramError, ProgramInfo, Xdp, XdpMode, links::FdLink},
};

use super::{
    mode::Mode,
    names,
    ports::PortMode,
    refusal::{errno, refused, root_cause},
};
use crate::{
    datapath::{
        error::{Error, Result},
        store::{instance::Datapath, pins::Pins},
    },
    net::{
        Interface, XdpMode as XdpInfoMode,
        ethtool::Ethtool,
        queues::{Queues, may_flap},
        shell::quoted,
    },
};

/// Bytes of a page that an MTU cannot use: headroom for the program, the Ethernet header, and about the size of the
/// kernel's `struct skb_shared_info` at the end.
const OVERHEAD: u32 = 256 + 14 + 320;

impl Datapath {
    /// Whether the program on an interface takes frames in several buffers.
    pub fn is_multi_buffer(&self, interface: u32) -> bool {
        is_multi_buffer(&self.pins, interface)
    }
}

/// The same for pins of any version.
pub(in crate::datapath) fn is_multi_buffer(pins: &Pins, interface: u32) -> bool {
    let info = ProgramInfo::from_pin(pins.program(interface));
    info.is_ok_and(|info| info.name_as_str().is_some_and(names::is_multi_buffer))
}

/// A program on an interface.
pub(in crate::datapath) struct OnInterface {
    /// Its name.
    pub name: String,
    /// What holds it. Dropping it detaches the program.
    pub link: FdLink,
    /// Where it runs.
    pub mode: PortMode,
}

/// Attaches the variant of a program that fits.
///
/// # Errors
///
/// [`Error::Attach`] says why and what helps.
pub(in crate::datapath) fn attach(
    ebpf: &mut Ebpf,
    program: &str,
    interface: &Interface,
    mode: Mode,
) -> Result<OnInterface> {
    if mode != Mode::Generic && interface.xdp.is_none_or(|xdp| xdp.mode == XdpInfoMode::Generic) {
        warn_of_flap(&interface.name);
    }
    let native = match mode {
        // The network stack hands over every frame in one buffer.
        Mode::Generic => return generic(ebpf, program, interface),
        // `mode_of` has refused clsact for XDP programs.
        Mode::Native | Mode::Auto | Mode::Clsact => native(ebpf, program, interface)?,
    };
    match native {
        Ok(attached) => Ok(attached),
        Err(refusal) if mode == Mode::Auto && refusal.is_about_driver() => {
            let why = refusal.for_want_of_queues(interface);
            let why =
                why.unwrap_or_else(|| format!("the driver cannot run XDP programs ({})", root_cause(&refusal.error)));
            log::warn!("{}: {why}; using generic mode, which is several times slower", interface.name);
            generic(ebpf, program, interface)
        }
        Err(refusal) => Err(refused(interface, &refusal.reason(interface))),
    }
}

fn generic(ebpf: &mut Ebpf, program: &str, interface: &Interface) -> Result<OnInterface> {
    let link = attach_as(loaded(ebpf, program)?, interface, XdpMode::Skb)
        .map_err(|error| Refusal { error, too_old: false })
        .map_err(|refusal| refused(interface, &refusal.reason(interface)))?;
    Ok(OnInterface { name: program.to_owned(), link, mode: PortMode::Generic })
}

/// Attaches in the driver, with one buffer if possible. The inner error is the kernel's or the driver's refusal.
fn native(ebpf: &mut Ebpf, program: &str, interface: &Interface) -> Result<std::result::Result<OnInterface, Refusal>> {
    let attached = |name, link| Ok(Ok(OnInterface { name, link, mode: PortMode::Native }));
    let error = match attach_as(loaded(ebpf, program)?, interface, XdpMode::Driver) {
        Ok(link) => return attached(program.to_owned(), link),
        Err(error) => error,
    };
    let mut refusal = Refusal { error, too_old: false };
    if !refusal.is_about_driver() {
        return Ok(Err(refusal));
    }
    let several = names::variant(program, true);
    match loaded(ebpf, &several) {
        Ok(program) => match attach_as(program, interface, XdpMode::Driver) {
            Ok(link) => {
                log::info!(
                    "{}: frames of its MTU need several buffers; using the multi-buffer program",
                    interface.name
                );
                attached(several, link)
            }
            Err(_) => Ok(Err(refusal)),
        },
        // The answer of kernels that do not know the flag.
        Err(Error::Program(error)) if errno(&error) == Some(libc::EINVAL) => {
            refusal.too_old = true;
            Ok(Err(refusal))
        }
        Err(error) => Err(error),
    }
}

fn attach_as(program: &mut Xdp, interface: &Interface, mode: XdpMode) -> std::result::Result<FdLink, ProgramError> {
    let id = program.attach_to_if_index(interface.index, mode)?;
    // A link without a file descriptor is an attachment by netlink; dropping it detaches.
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_| {
        ProgramError::IOError(io::Error::other("the kernel does not offer bpf_link for XDP; Linux 5.9 and newer do"))
    })
}

/// The program of this name, loaded if it was not.
pub(in crate::datapath) fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = xdp(ebpf, name)?;
    match program.load() {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(program),
        Err(error) => Err(error.into()),
    }
}

/// The program of this name in the object.
pub(in crate::datapath) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).ok_or_else(|| {
        Error::Io(format!("program {name}"), io::Error::new(io::ErrorKind::NotFound, "not in the object file"))
    })?;
    Ok(program.try_into()?)
}

/// Why a program was not attached.
#[derive(Debug)]
struct Refusal {
    /// The error for the variant for one buffer.
    error: ProgramError,
    /// The kernel does not know programs for several buffers.
    too_old: bool,
}

impl Refusal {
    /// Whether it is about the driver's abilities, not about permissions or another program.
    fn is_about_driver(&self) -> bool {
        !matches!(errno(&self.error), Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::ENODEV))
    }

    fn reason(&self, interface: &Interface) -> String {
        let queues = self.for_want_of_queues(interface).filter(|_| self.is_about_driver());
        let what_else = || reason(interface, errno(&self.error), &root_cause(&self.error), self.too_old);
        queues.map_or_else(what_else, |queues| format!("{queues}; or use `--mode generic`"))
    }

    /// What is wrong with the queues, and what helps.
    fn for_want_of_queues(&self, interface: &Interface) -> Option<String> {
        let no_space = errno(&self.error) == Some(libc::ENOSPC);
        Queues::read(&interface.name).ok()?.refusal(&interface.name, online_cpus(), no_space)
    }
}

/// What is wrong, and what helps.
fn reason(interface: &Interface, errno: Option<i32>, cause: &str, too_old: bool) -> String {
    let (mtu, most, name) = (interface.mtu, most_in_one_buffer(), quoted(&interface.name));
    match errno {
        Some(libc::EBUSY | libc::EEXIST) => {
            let id = interface.xdp.map_or_else(String::new, |xdp| format!(" (program {})", xdp.program_id));
            format!(
                "another XDP program{id} is attached to it; `bpftool net` shows whose it is, `ip link set dev {name} xdp off` \
                 removes one that was attached without a link"
            )
        }
        Some(libc::EPERM | libc::EACCES) => {
            format!("{cause}; run modlb as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
        }
        Some(libc::ERANGE | libc::EINVAL | libc::EOPNOTSUPP) if mtu > most && too_old => {
            format!(
                "frames of its MTU of {mtu} need several buffers, which XDP programs can take since Linux 5.18 ({cause}); \
                 lower the MTU to {most} or less (on a veth, also the peer's), or use `--mode generic`"
            )
        }
        Some(libc::ERANGE) => {
            format!(
                "the driver refuses XDP with these settings ({cause}), often an MTU that is too large: it is {mtu}, and one \
                 buffer holds about {most}; lower it (on a veth, also the peer's), or use `--mode generic`"
            )
        }
        Some(libc::EOPNOTSUPP) => {
            format!("the driver cannot run XDP programs ({cause}); use `--mode generic`, or auto")
        }
        _ => format!("the program cannot be attached by a bpf_link: {cause}"),
    }
}

/// Says beforehand what an operator should not be surprised by.
fn warn_of_flap(name: &str) {
    let driver = Ethtool::new(name).and_then(|ethtool| ethtool.driver());
    if let Some(driver) = driver.ok().filter(|driver| may_flap(driver)) {
        log::warn!(
            "{name}: the driver {driver} may set up its queues anew for a first native program, and again when it is \
             detached: the link can be down for some seconds"
        );
    }
}

fn online_cpus() -> u32 {
    // SAFETY: takes a number.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// About the largest MTU whose frames fit in one buffer.
fn most_in_one_buffer() -> u32 {
    // SAFETY: takes a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(page).unwrap_or(4_096).saturating_sub(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_for(mtu: u32, errno: i32, too_old: bool) -> String {
        let interface = Interface { index: 2, name: "eth0".into(), mtu, up: true, ..Interface::default() };
        reason(&interface, Some(errno), "the cause", too_old)
    }

    #[test]
    fn a_kernel_without_programs_for_several_buffers() {
        for errno in [libc::ERANGE, libc::EINVAL, libc::EOPNOTSUPP] {
            let text = reason_for(9_000, errno, true);
            assert!(text.contains("MTU of 9000") && text.contains("since Linux 5.18"), "{text}");
            assert!(text.contains(&format!("to {} or less", most_in_one_buffer())), "{text}");
            assert!(text.contains("`--mode generic`"), "{text}");
        }
        // With an MTU that fits, the kernel's age is not the reason.
        assert!(!reason_for(1_500, libc::EOPNOTSUPP, true).contains("5.18"));
    }

    #[test]
    fn a_driver_that_refuses_both() {
        let text = reason_for(70_000, libc::ERANGE, false);
        assert!(text.contains("it is 70000") && text.contains(&most_in_one_buffer().to_string()), "{text}");
        assert!(reason_for(9_000, libc::EOPNOTSUPP, false).contains("cannot run XDP programs"));
    }
}
