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
use lb_common::{limits::OUTCOME_COUNTERS, mac::Mac};

use super::{
    Error, Result,
    counters::cpus,
    egress::{self, Egress},
    held,
    instance::{Capacities, Writer},
    link::{self, Holder, Link},
    nic::Nic,
    object::{self, Programs},
    pins::{self, Pins},
    table::{Table, sizes},
    variant::{attach, loaded, name_of, xdp},
};
use crate::{
    config::model::{Group, Role},
    net::Interface,
    netns,
};

/// The program of role `balancer`.
pub(super) const BALANCER: &str = "balancer";

/// The program of role `member`.
const MEMBER: &str = "member";

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
    ebpf: Programs,
    /// The name of an XDP program; that of role `steer` has only one.
    program: Option<String>,
    link: Egress,
}

/// What a program knows from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constants {
    /// The index of its interface.
    pub interface: u32,
    /// Its interface's MAC.
    pub mac: Mac,
    /// What a member takes for its group's MAC.
    pub group: u64,
}

/// Makes and pins the maps of an instance.
pub(super) fn make_maps(pins: &Pins, capacities: &Capacities) -> Result<()> {
    load(pins, capacities, Constants { interface: 0, mac: Mac::ZERO, group: 0 }).map(drop)
}

/// What the programs that tell of packets know beside that.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    /// A [`lb_common::trace::Filter`].
    pub filter: Vec<u8>,
    /// The least important messages, as aya-log counts.
    pub level: u8,
    /// The room for events, in bytes: a power of two.
    pub room: u32,
}

/// Loads the object, with the pinned maps or, where they are not there, new ones.
pub(super) fn load(pins: &Pins, capacities: &Capacities, constants: Constants) -> Result<Programs> {
    load_telling(pins, capacities, constants, None)
}

/// The same of either object file.
pub(super) fn load_telling(
    pins: &Pins,
    capacities: &Capacities,
    constants: Constants,
    telling: Option<&Telling>,
) -> Result<Programs> {
    let Constants { interface, mac, group } = constants;
    let cpus = cpus()?;
    let (cells, counters) = (capacities.cells(), u64::from(capacities.counters()));
    let numbers = [
        ("INTERFACE_MAC", wide(mac)),
        ("CELL_SHIFT", u64::from(64 - cells.ilog2())),
        ("CELLS", u64::from(cells)),
        ("SLOTS", 2 * u64::from(capacities.slots)),
        ("COUNTERS", counters),
        ("ALL_COUNTERS", u64::from(cpus) * counters),
        ("ALL_OUTCOMES", u64::from(cpus * OUTCOME_COUNTERS)),
    ];
    let mut loader = EbpfLoader::new();
    loader.override_global("INTERFACE", &interface, true).override_global("GROUP_MAC", &group, true);
    for table in Table::all(capacities, cpus) {
        table.make(pins)?;
        loader.map_pin_path(table.name, pins.map(table.name));
    }
    for (name, entries) in sizes(capacities) {
        loader.map_max_entries(name, entries).map_pin_path(name, pins.map(name));
    }
    let Some(Telling { filter, level, room }) = telling else { return object::read(&mut loader, pins, &numbers) };
    loader
        .override_global("FILTER", &filter[..], true)
        .override_global("AYA_LOG_LEVEL", level, true)
        .map_max_entries("EVENTS", *room);
    object::read_traced(&mut loader, pins, &numbers)
}

/// A MAC as the datapath has it: in the first six bytes of a number in memory.
const fn wide(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}

/// What a member's program takes for its group's MAC. One that receives everything and names no MAC takes it all.
pub(super) fn group_mac(group: &Group) -> u64 {
    match group.mac {
        Some(mac) => wide(mac),
        None if group.promiscuous => u64::MAX,
        None => 0,
    }
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
        let (program, link) = match xdp_name(self.role) {
            Some(name) => {
                let (name, link) = attach(&mut ebpf, name, interface, mode_of(self.role, interface, mode)?)?;
                (Some(name), Egress::Link(link))
            }
            None => (None, self.attach_egress(&mut ebpf, interface, mode)?),
        };
        Ok(Attached { interface: interface.index, ebpf, program, link })
    }

    fn attach_egress(&mut self, ebpf: &mut Ebpf, interface: &Interface, mode: Mode) -> Result<Egress> {
        let program = egress::program(ebpf)?;
        program.load()?;
        if mode == Mode::Clsact || !egress::has_tcx() {
            egress::attach_clsact(self, program, interface)
        } else {
            egress::attach_tcx(program, interface)
        }
    }

    fn load_for(&self, interface: u32, mac: Mac, group: &Group) -> Result<Programs> {
        load(&self.pins, &self.capacities, Constants { interface, mac, group: group_mac(group) })
    }

    /// Pins what was attached: it outlives this command.
    pub fn pin(&self, attached: Attached) -> Result<()> {
        let Attached { interface, mut ebpf, program, link } = attached;
        self.pin_program(&mut ebpf, program.as_deref(), interface)?;
        self.pins.remove_pin(&self.pins.link(interface))?;
        match link {
            Egress::Link(link) => link.pin(self.pins.link(interface)).map(drop).map_err(pin_error)?,
            Egress::Filter(filter) => egress::keep(filter),
        }
        Ok(())
    }

    /// Puts a newly loaded program in the place of the one that is attached to an interface, in the same variant. No packet
    /// meets neither.
    pub fn replace(&self, interface: &Interface, group: &Group) -> Result<()> {
        let mut ebpf = self.load_for(interface.index, interface.mac.unwrap_or_default(), group)?;
        let pin = self.pins.link(interface.index);
        let filter = self.filters().into_iter().find(|(index, ..)| *index == interface.index);
        let name = xdp_name(self.role).map(|name| name_of(name, self.is_multi_buffer(interface.index)));
        match (&name, filter) {
            (Some(name), _) => {
                let link = XdpLink::try_from(FdLink::from(PinnedLink::from_pin(pin)?))?;
                let replaced = loaded(&mut ebpf, name)?.attach_to_link(link);
                replaced.map_err(|error| {
                    refused(interface, &format!("the program cannot be replaced: {}", root_cause(&error)))
                })?;
            }
            (None, filter) => {
                let program = egress::program(&mut ebpf)?;
                program.load()?;
                match filter {
                    Some((_, priority, handle)) => {
                        egress::replace_filter(program, &interface.name, priority, handle)?;
                    }
                    None => egress::replace_link(program, &pin)?,
                }
            }
        }
        self.pin_program(&mut ebpf, name.as_deref(), interface.index)
    }

    /// Detaches from an interface behind which there is no server any more.
    pub fn detach(&self, interface: u32) -> Result<()> {
        self.remove_device(interface)?;
        held::give_back(&self.pins, Some(interface))?;
        self.pins.remove_pin(&self.pins.link(interface))?;
        self.pins.remove_pin(&self.pins.program(interface))
    }

    /// The pin of a program is replaced by renaming, so that there always is one. Trap: names with a dot are reserved in
    /// the BPF file system.
    fn pin_program(&self, ebpf: &mut Ebpf, name: Option<&str>, interface: u32) -> Result<()> {
        let path = self.pins.program(interface);
        let new = self.pins.map("program-new");
        self.pins.remove_pin(&new)?;
        match name {
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
    let mut ebpf = object::read_without_tables(&mut EbpfLoader::new())?;
    let (_, link) = attach(&mut ebpf, PASS, interface, Mode::Native)?;
    link.pin(pin).map(drop).map_err(pin_error)
}

/// The programs that this command put somewhere, by id, with their instances' names; `None`: by [`pass`].
pub fn link_programs() -> Vec<(Option<String>, u32)> {
    let links = |pins: &Pins| -> Vec<u32> {
        let names = pins.entries().unwrap_or_default().into_iter();
        let links = names.filter(|name| name.starts_with("link-") || pins.instance() == PASS_DIRECTORY);
        links.filter_map(|name| link::look(&pins.map(&name)).ok()).map(|link| link.program).collect()
    };
    let pass = links(&Pins::beside(PASS_DIRECTORY)).into_iter().map(|program| (None, program));
    let instances = pins::instances().into_iter();
    instances
        .flat_map(|name| links(&Pins::new(&name)).into_iter().map(move |program| (Some(name.clone()), program)))
        .chain(pass)
        .collect()
}

/// The XDP program of a role; `None`: its program is not one of XDP.
pub(super) const fn xdp_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Balancer => Some(BALANCER),
        Role::Member => Some(MEMBER),
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
        (Role::Balancer | Role::Member, Mode::Clsact) => {
            Err(refused(interface, "clsact is for role steer; leave out `--clsact`"))
        }
        _ => Ok(mode),
    }
}

pub(super) fn attach_as(
    program: &mut Xdp,
    interface: &Interface,
    mode: XdpMode,
) -> std::result::Result<FdLink, ProgramError> {
    let id = program.attach_to_if_index(interface.index, mode)?;
    // What is no file descriptor is an attachment by netlink; dropping it detaches.
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_| {
        ProgramError::IOError(io::Error::other("the kernel does not offer bpf_link for XDP; Linux 5.9 and newer do"))
    })
}

/// The number of the system call's error underneath.
pub(super) fn errno(error: &ProgramError) -> Option<i32> {
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
