//! Load, attach, replace, detach.
//!
//! Each interface has a program of its own, which knows the interface's index and MAC as constants; all of them share
//! the pinned maps. Trap: aya falls back from bpf_link to netlink when the kernel refuses a link; such an attachment ends
//! with nobody knowing and cannot be pinned, so it is undone and refused here.

use std::{fs, io};

use aya::{
    Ebpf, EbpfLoader,
    programs::{
        ProgramError, Xdp, XdpMode,
        links::{FdLink, PinnedLink},
        xdp::XdpLink,
    },
};
use lb_common::{limits::MAX_HELD, mac::Mac};

use super::{
    Error, Result,
    egress::{self, Egress},
    held,
    instance::{Capacities, Writer},
    link::{self, Holder, Link},
    nic::Nic,
    pins::Pins,
};
use crate::{
    config::model::{Group, Role},
    net::Interface,
    netns,
};

#[cfg(not(without_datapath))]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lb-ebpf"));
#[cfg(without_datapath)]
static OBJECT: &[u8] = &[];

/// The program that takes every packet as it comes.
const PASS: &str = "pass";

/// The directory in which the links of [`pass`] are pinned.
const PASS_DIRECTORY: &str = "modlb-pass";

/// Where a program is to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// In the driver if it can, else in the network stack, with a warning.
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// Of role `steer`: as on kernels without TCX.
    Clsact,
}

/// A program on an interface whose link is not pinned yet: dropped, it is detached again.
#[derive(Debug)]
pub struct Attached {
    interface: u32,
    ebpf: Ebpf,
    link: Egress,
}

/// What a program knows from the start.
#[derive(Clone, Copy, Debug)]
struct Constants {
    interface: u32,
    mac: Mac,
    group: u64,
}

/// Makes and pins the maps of an instance.
pub(super) fn make_maps(pins: &Pins, capacities: &Capacities) -> Result<()> {
    load(pins, capacities, Constants { interface: 0, mac: Mac::ZERO, group: 0 }).map(drop)
}

/// Loads the object, with the pinned maps or, where they are not there, new ones.
fn load(pins: &Pins, capacities: &Capacities, constants: Constants) -> Result<Ebpf> {
    let Constants { interface, mac, group } = constants;
    let mac = wide(mac);
    let (mask, counters) = (capacities.cells() - 1, capacities.counters());
    let mut loader = EbpfLoader::new();
    loader
        .override_global("INTERFACE", &interface, true)
        .override_global("INTERFACE_MAC", &mac, true)
        .override_global("GROUP_MAC", &group, true)
        .override_global("CELL_MASK", &mask, true)
        .override_global("COUNTER_CAPACITY", &counters, true);
    for (name, entries) in sizes(capacities) {
        loader.map_max_entries(name, entries).map_pin_path(name, pins.map(name));
    }
    object(&mut loader)
}

/// A MAC as the datapath has it: in the first six bytes of a number in memory.
const fn wide(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}

/// What a member's program takes for its group's MAC. One that receives everything and names no MAC takes it all.
fn group_mac(group: &Group) -> u64 {
    match group.mac {
        Some(mac) => wide(mac),
        None if group.promiscuous => u64::MAX,
        None => 0,
    }
}

fn object(loader: &mut EbpfLoader<'_>) -> Result<Ebpf> {
    if OBJECT.is_empty() {
        return Err(Error::WithoutDatapath);
    }
    Ok(loader.load(OBJECT)?)
}

/// The length of each map.
const fn sizes(capacities: &Capacities) -> [(&'static str, u32); 13] {
    let Capacities { services, slots, servers } = *capacities;
    [
        ("CONTROL", 1),
        ("CELLS", 2 * capacities.cells()),
        ("PREFIXES", 4),
        ("SLOTS", 2 * slots),
        ("REMOTES", 2 * capacities.counters()),
        ("COUNTERS", capacities.counters()),
        ("OUTCOMES", lb_common::outcome::Outcome::COUNT),
        ("INSTANCE", 1),
        ("HALVES", 2),
        ("SERVICES", 2 * services),
        ("SERVERS", 2 * servers),
        ("RETIRED", 2 * capacities.retired()),
        ("HELD", MAX_HELD),
    ]
}

impl Writer {
    /// Attaches to an interface that has no link yet. Nothing is pinned before [`Attached::pin`].
    ///
    /// # Errors
    ///
    /// [`Error::Attach`] says why and what helps.
    pub fn attach(&mut self, interface: &Interface, mode: Mode, group: &Group) -> Result<Attached> {
        let mac = interface.mac.ok_or_else(|| {
            refused(interface, "it has no Ethernet address, so no frame of it can be sent to a server")
        })?;
        let mut ebpf = self.load_for(interface.index, mac, group)?;
        let link = match (xdp_name(self.role), mode) {
            (Some(name), mode) => {
                let mode = mode_of(self.role, interface, mode)?;
                Egress::Link(attach(xdp(&mut ebpf, name)?, interface, mode)?)
            }
            (None, Mode::Clsact) => egress::attach_clsact(self, egress::program(&mut ebpf)?, interface)?,
            (None, _) if !egress::has_tcx() => egress::attach_clsact(self, egress::program(&mut ebpf)?, interface)?,
            (None, _) => egress::attach_tcx(egress::program(&mut ebpf)?, interface)?,
        };
        Ok(Attached { interface: interface.index, ebpf, link })
    }

    /// The object with the program of this instance's role in the kernel.
    fn load_for(&self, interface: u32, mac: Mac, group: &Group) -> Result<Ebpf> {
        let constants = Constants { interface, mac, group: group_mac(group) };
        let mut ebpf = load(&self.pins, &self.capacities, constants)?;
        match xdp_name(self.role) {
            Some(name) => xdp(&mut ebpf, name)?.load()?,
            None => egress::program(&mut ebpf)?.load()?,
        }
        Ok(ebpf)
    }

    /// Pins what was attached: it outlives this command.
    pub fn pin(&self, attached: Attached) -> Result<()> {
        let Attached { interface, mut ebpf, link } = attached;
        self.pin_program(&mut ebpf, interface)?;
        self.pins.remove_pin(&self.pins.link(interface))?;
        match link {
            Egress::Link(link) => link.pin(self.pins.link(interface)).map(drop).map_err(pin_error)?,
            Egress::Filter(filter) => egress::keep(filter),
        }
        Ok(())
    }

    /// Puts a newly loaded program in the place of the one that is attached to an interface. No packet meets neither.
    pub fn replace(&self, interface: &Interface, group: &Group) -> Result<()> {
        let mut ebpf = self.load_for(interface.index, interface.mac.unwrap_or_default(), group)?;
        let pin = self.pins.link(interface.index);
        let filter = self.filters().into_iter().find(|(index, ..)| *index == interface.index);
        match (xdp_name(self.role), filter) {
            (Some(name), _) => {
                let link = XdpLink::try_from(FdLink::from(PinnedLink::from_pin(pin)?))?;
                let replaced = xdp(&mut ebpf, name)?.attach_to_link(link);
                replaced.map_err(|error| {
                    refused(interface, &format!("the program cannot be replaced: {}", root_cause(&error)))
                })?;
            }
            (None, Some((_, priority, handle))) => {
                egress::replace_filter(egress::program(&mut ebpf)?, &interface.name, priority, handle)?;
            }
            (None, None) => egress::replace_link(egress::program(&mut ebpf)?, &pin)?,
        }
        self.pin_program(&mut ebpf, interface.index)
    }

    /// Detaches from an interface.
    pub fn detach(&self, interface: u32) -> Result<()> {
        held::give_back(&self.pins, Some(interface))?;
        self.pins.remove_pin(&self.pins.link(interface))?;
        self.pins.remove_pin(&self.pins.program(interface))
    }

    /// The pin of a program is replaced by renaming, so that there always is one. Trap: names with a dot are reserved in
    /// the BPF file system.
    fn pin_program(&self, ebpf: &mut Ebpf, interface: u32) -> Result<()> {
        let path = self.pins.program(interface);
        let new = self.pins.map("program-new");
        self.pins.remove_pin(&new)?;
        match xdp_name(self.role) {
            Some(name) => xdp(ebpf, name)?.pin(&new),
            None => egress::program(ebpf)?.pin(&new),
        }
        .map_err(pin_error)?;
        fs::rename(&new, &path).map_err(Error::io(format!("pinning {}", path.display())))
    }
}

impl super::Datapath {
    /// The links, by the index that their interface had when they were made.
    pub fn links(&self) -> Result<Vec<(u32, Link)>> {
        let mut links = Vec::new();
        for index in self.pins.links()? {
            links.push((index, link::look(&self.pins.link(index))?));
        }
        for (index, ..) in self.filters() {
            let program = link::program_id(&self.pins.program(index));
            let interface = Nic::open(index).is_ok().then_some(index);
            links.push((index, Link { holder: Holder::Clsact, interface, program }));
        }
        Ok(links)
    }
}

/// Attaches the program that passes every packet to an interface, or detaches it.
///
/// # Errors
///
/// [`Error::Attach`] says why and what helps.
pub fn pass(interface: &Interface, remove: bool) -> Result<()> {
    let pins = Pins::beside(PASS_DIRECTORY);
    let _lock = pins.create()?;
    pins.remove_gone()?;
    let pin = pins.pass(netns::cookie().unwrap_or_default(), interface.index);
    if remove {
        let found = pin.exists();
        pins.remove_pin(&pin)?;
        pins.remove_if_empty();
        return found.then_some(()).ok_or_else(|| refused(interface, "`modlb dev pass` did not attach anything to it"));
    }
    pins.remove_pin(&pin)?;
    let mut ebpf = object(&mut EbpfLoader::new())?;
    let program = xdp(&mut ebpf, PASS)?;
    program.load()?;
    let link = attach(program, interface, Mode::Native)?;
    link.pin(pin).map(drop).map_err(pin_error)
}

/// The XDP program of a role; `None`: its program is not one of XDP.
const fn xdp_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Balancer => Some("balancer"),
        Role::Member => Some("member"),
        Role::Steer => None,
    }
}

/// Where a role's program runs.
///
/// Trap: a veth's end decides whom a packet is for before it runs a program natively, and never again. What a member
/// accepts would be dropped as somebody else's.
fn mode_of(role: Role, interface: &Interface, mode: Mode) -> Result<Mode> {
    match (role, mode) {
        (Role::Member, Mode::Auto) if interface.veth => Ok(Mode::Generic),
        (Role::Member, Mode::Native) if interface.veth => Err(refused(
            interface,
            "a veth that runs a member's program natively drops what the member accepts; use `--mode generic`, or auto",
        )),
        _ => Ok(mode),
    }
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).ok_or_else(|| {
        Error::Io(format!("program {name}"), io::Error::new(io::ErrorKind::NotFound, "not in the object file"))
    })?;
    Ok(program.try_into()?)
}

fn attach(program: &mut Xdp, interface: &Interface, mode: Mode) -> Result<FdLink> {
    let explained = |error: &ProgramError| refused(interface, &reason(interface, error));
    match mode {
        Mode::Clsact => Err(refused(interface, "clsact is for role steer; leave out `--clsact`")),
        Mode::Native => attach_as(program, interface, XdpMode::Driver).map_err(|error| explained(&error)),
        Mode::Generic => attach_as(program, interface, XdpMode::Skb).map_err(|error| explained(&error)),
        Mode::Auto => match attach_as(program, interface, XdpMode::Driver) {
            Err(error) if is_driver_s(&error) => {
                log::warn!(
                    "{}: the driver cannot run XDP programs ({}); using generic mode, which is several times slower",
                    interface.name,
                    root_cause(&error)
                );
                attach_as(program, interface, XdpMode::Skb).map_err(|error| explained(&error))
            }
            result => result.map_err(|error| explained(&error)),
        },
    }
}

fn attach_as(program: &mut Xdp, interface: &Interface, mode: XdpMode) -> std::result::Result<FdLink, ProgramError> {
    let id = program.attach_to_if_index(interface.index, mode)?;
    // What is no file descriptor is an attachment by netlink; dropping it detaches.
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_| {
        ProgramError::IOError(io::Error::other("the kernel does not offer bpf_link for XDP; Linux 5.9 and newer do"))
    })
}

/// Whether the error is about what the driver can do, rather than about permissions or another program.
fn is_driver_s(error: &ProgramError) -> bool {
    !matches!(errno(error), Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::ENODEV))
}

fn reason(interface: &Interface, error: &ProgramError) -> String {
    let cause = root_cause(error);
    match errno(error) {
        Some(libc::EBUSY | libc::EEXIST) => {
            let id = interface.xdp.map_or_else(String::new, |xdp| format!(" (program {})", xdp.program_id));
            format!(
                "another XDP program{id} is attached to it; `bpftool net` shows whose it is, `ip link set dev {} xdp off` \
                 removes one that was attached without a link",
                interface.name
            )
        }
        Some(libc::EOPNOTSUPP) => {
            format!("the driver cannot run XDP programs ({cause}); use `--mode generic`, or auto")
        }
        Some(libc::ERANGE) => {
            format!(
                "the driver refuses XDP with these settings ({cause}), often an MTU that is too large; lower it, or use `--mode generic`"
            )
        }
        Some(libc::EPERM | libc::EACCES) => {
            format!("{cause}; run modlb as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
        }
        _ => format!("the program cannot be attached by a bpf_link: {cause}"),
    }
}

/// The number of the system call's error underneath.
fn errno(error: &ProgramError) -> Option<i32> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}

pub(super) fn root_cause(error: &ProgramError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

pub(super) fn refused(interface: &Interface, reason: &str) -> Error {
    Error::Attach { interface: interface.name.clone(), reason: reason.to_owned() }
}

fn pin_error(error: aya::pin::PinError) -> Error {
    Error::Io("pinning".to_owned(), io::Error::other(error))
}
