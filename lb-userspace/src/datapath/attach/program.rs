//! Attaches, replaces and detaches the program of an interface.
//!
//! Each interface has its own program, with the interface's index and MAC as constants; all share the pinned maps.

use std::fs;

use super::{
    link::{self, Holder, Link},
    load::{Constants, load},
    mode::{Mode, mode_of},
    names::{RoleProgram, TcProgram},
    nic::Nic,
    nic_state,
    object::Programs,
    ports::PortMode,
    refusal::{pin_error, refused, root_cause},
    tc::{self, Attachment, FilterKey},
    variant::{OnInterface, attach, loaded, xdp},
};
use crate::{
    config::model::Group,
    datapath::{
        error::{Error, Result},
        kill_point,
        store::{
            instance::{Datapath, Writer},
            pins::Pins,
        },
    },
    net::Interface,
};
use aya::{
    Ebpf,
    programs::{
        links::{FdLink, PinnedLink},
        xdp::XdpLink,
    },
};

/// A program on an interface whose link is not pinned yet. Dropping it detaches the program.
#[derive(Debug)]
pub struct Attached {
    interface: Interface,
    mode: PortMode,
    ebpf: Programs,
    program: RoleProgram,
    link: Attachment,
}

impl Writer {
    /// Attaches to an interface that has no link yet. The link is not pinned before [`Writer::pin`].
    ///
    /// # Errors
    ///
    /// [`Error::Attach`] says why and what helps.
    pub fn attach(&mut self, interface: &Interface, mode: Mode, group: &Group) -> Result<Attached> {
        let mut ebpf = self.load_for(interface, group)?;
        let interface = interface.clone();
        let name = match RoleProgram::of(self.role, false) {
            RoleProgram::Xdp(name) => name,
            RoleProgram::Tc(program) => {
                let link = self.attach_tc(&mut ebpf, program, &interface, mode)?;
                kill_point::step();
                let mode = if matches!(link, Attachment::Link(_)) { PortMode::Tcx } else { PortMode::Clsact };
                return Ok(Attached { interface, mode, ebpf, program: RoleProgram::Tc(program), link });
            }
        };
        let mode = mode_of(self.role, &interface, mode)?;
        let OnInterface { name, link, mode } = attach(&mut ebpf, &name, &interface, mode)?;
        kill_point::step();
        Ok(Attached { interface, mode, ebpf, program: RoleProgram::Xdp(name), link: Attachment::Link(link) })
    }

    fn attach_tc(
        &mut self,
        ebpf: &mut Ebpf,
        program: TcProgram,
        interface: &Interface,
        mode: Mode,
    ) -> Result<Attachment> {
        let hook = program.hook;
        let program = tc::program(ebpf, program)?;
        program.load()?;
        if mode != Mode::Clsact && tc::has_tcx() {
            return tc::attach_tcx(program, hook, interface);
        }
        tc::add_clsact(interface)?;
        let key = FilterKey::unique();
        self.record_filter(interface.index, hook, key.priority, key.handle)?;
        tc::attach_clsact(program, hook, interface, key)
    }

    /// Loads the programs of an interface.
    pub(in crate::datapath) fn load_for(&self, interface: &Interface, group: &Group) -> Result<Programs> {
        let mac = interface
            .mac
            .ok_or_else(|| refused(interface, "it has no Ethernet address, so it cannot send frames to servers"))?;
        load(&self.pins, &self.capacities, Constants::new(self.role, interface.index, mac, group)?)
    }

    /// Records and pins what was attached, so that it outlives this command. The link comes last: without it, whatever
    /// else was written is cleared by the next command.
    pub fn pin(&mut self, attached: Attached) -> Result<()> {
        let Attached { interface, mode, mut ebpf, program, link } = attached;
        let index = interface.index;
        let id = self.pin_program(&mut ebpf, &program, index)?;
        self.record_port(&interface, mode, id)?;
        self.pins.remove_pin(&self.pins.link(index))?;
        match link {
            Attachment::Link(link) => link.pin(self.pins.link(index)).map(drop).map_err(pin_error)?,
            Attachment::Filter(filter) => tc::keep(filter),
        }
        kill_point::step();
        Ok(())
    }

    /// Replaces the program of an interface by a newly loaded one of the same variant. Every packet meets one of them.
    pub fn replace(&mut self, interface: &Interface, group: &Group) -> Result<()> {
        let mut ebpf = self.load_for(interface, group)?;
        let filter = self.filters().into_iter().find(|(index, ..)| *index == interface.index);
        let program = RoleProgram::of(self.role, self.is_multi_buffer(interface.index));
        load_program(&mut ebpf, &program)?;
        swap(&mut ebpf, &program, interface, &self.pins, filter)?;
        let id = self.pin_program(&mut ebpf, &program, interface.index)?;
        // Last: if this is not reached, the record shows that the program has to be replaced once more.
        let mode = self.port_record(interface.index).map_or(PortMode::Native, |record| PortMode::from(record.mode));
        self.record_port(interface, mode, id)
    }

    /// Detaches from an interface that no half names any more.
    pub fn detach(&mut self, interface: u32) -> Result<()> {
        nic_state::release_all(&self.pins, Some(interface))?;
        self.forget(interface)
    }

    /// The same for an interface that is gone or in another network namespace, whose index means nothing here.
    pub fn forget(&mut self, interface: u32) -> Result<()> {
        self.pins.remove_pin(&self.pins.link(interface))?;
        self.remove_device(interface)?;
        self.pins.remove_pin(&self.pins.program(interface))?;
        self.forget_nic_states(interface);
        self.clear_port(interface);
        Ok(())
    }

    /// Replaces the pin of a program by renaming, so that there always is one. Returns the program's id. Trap: the BPF
    /// file system reserves names with a dot.
    pub(in crate::datapath) fn pin_program(
        &self,
        ebpf: &mut Ebpf,
        program: &RoleProgram,
        interface: u32,
    ) -> Result<u32> {
        let path = self.pins.program(interface);
        let new = self.pins.map("program-new");
        self.pins.remove_pin(&new)?;
        match program {
            RoleProgram::Xdp(name) => xdp(ebpf, name)?.pin(&new),
            RoleProgram::Tc(program) => tc::program(ebpf, *program)?.pin(&new),
        }
        .map_err(pin_error)?;
        fs::rename(&new, &path).map_err(Error::io(format!("pinning {}", path.display())))?;
        kill_point::step();
        Ok(link::program_id(&path))
    }
}

/// Loads a program.
pub(in crate::datapath) fn load_program(ebpf: &mut Ebpf, program: &RoleProgram) -> Result<()> {
    match program {
        RoleProgram::Xdp(name) => loaded(ebpf, name).map(drop),
        RoleProgram::Tc(program) => Ok(tc::program(ebpf, *program)?.load()?),
    }
}

/// Puts a loaded program in the place of that of an interface's pinned link, or of its filter. Every packet meets one
/// of them.
pub(in crate::datapath) fn swap(
    ebpf: &mut Ebpf,
    program: &RoleProgram,
    interface: &Interface,
    pins: &Pins,
    filter: Option<(u32, u16, u32)>,
) -> Result<()> {
    let pin = pins.link(interface.index);
    match (program, filter) {
        (RoleProgram::Xdp(name), _) => {
            let link = XdpLink::try_from(FdLink::from(PinnedLink::from_pin(pin)?))?;
            xdp(ebpf, name)?.attach_to_link(link).map_err(|error| {
                refused(interface, &format!("the program cannot be replaced: {}", root_cause(&error)))
            })?;
        }
        (RoleProgram::Tc(program), Some((_, priority, handle))) => {
            let hook = program.hook;
            tc::replace_filter(tc::program(ebpf, *program)?, hook, &interface.name, (priority, handle))?;
        }
        (RoleProgram::Tc(program), None) => tc::replace_link(tc::program(ebpf, *program)?, &pin)?,
    }
    kill_point::step();
    Ok(())
}

impl Datapath {
    /// The links, with the index that their interface had when they were made.
    pub fn links(&self) -> Result<Vec<(u32, Link)>> {
        links(&self.pins, &self.filters())
    }
}

/// The same for pins and filters of any version.
pub(in crate::datapath) fn links(pins: &Pins, filters: &[(u32, u16, u32)]) -> Result<Vec<(u32, Link)>> {
    let mut links = Vec::new();
    for index in pins.links()? {
        links.extend(link::query(&pins.link(index))?.map(|link| (index, link)));
    }
    for (index, ..) in filters {
        let program = link::program_id(&pins.program(*index));
        let interface = Nic::open(*index).is_ok().then_some(*index);
        links.push((*index, Link { holder: Holder::Clsact, interface, program }));
    }
    Ok(links)
}
