//! Attaches, replaces and detaches the program of an interface.
//!
//! Each interface has its own program, with the interface's index and MAC as constants; all share the pinned maps.

use std::fs;

use aya::{
    Ebpf,
    programs::{
        links::{FdLink, PinnedLink},
        xdp::XdpLink,
    },
};
use lb_common::mac::Mac;

use super::{
    egress::{self, Egress, FilterKey},
    link::{self, Holder, Link},
    load::{Constants, group_mac, load},
    mode::{Mode, mode_of},
    names::{self, xdp_name},
    nic::Nic,
    nic_state,
    object::Programs,
    refusal::{pin_error, refused, root_cause},
    variant::{attach, loaded, xdp},
};
use crate::{
    config::model::Group,
    datapath::{
        error::{Error, Result},
        store::instance::{Datapath, Writer},
    },
    net::Interface,
};

/// A program on an interface whose link is not pinned yet. Dropping it detaches the program.
#[derive(Debug)]
pub struct Attached {
    interface: u32,
    ebpf: Programs,
    /// The name of the XDP program; `None`: role `steer`, which has only one program.
    program: Option<String>,
    link: Egress,
}

impl Writer {
    /// Attaches to an interface that has no link yet. The link is not pinned before [`Writer::pin`].
    ///
    /// # Errors
    ///
    /// [`Error::Attach`] says why and what helps.
    pub fn attach(&mut self, interface: &Interface, mode: Mode, group: &Group) -> Result<Attached> {
        let mac = interface
            .mac
            .ok_or_else(|| refused(interface, "it has no Ethernet address, so it cannot send frames to servers"))?;
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
        if mode != Mode::Clsact && egress::has_tcx() {
            return egress::attach_tcx(program, interface);
        }
        egress::add_clsact(interface)?;
        let key = FilterKey::unique();
        self.record_filter(interface.index, key.priority, key.handle)?;
        egress::attach_clsact(program, interface, key)
    }

    fn load_for(&self, interface: u32, mac: Mac, group: &Group) -> Result<Programs> {
        load(&self.pins, &self.capacities, Constants { interface, mac, group: group_mac(group) })
    }

    /// Pins what was attached, so that it outlives this command.
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

    /// Replaces the program of an interface by a newly loaded one of the same variant. Every packet meets one of them.
    pub fn replace(&self, interface: &Interface, group: &Group) -> Result<()> {
        let mut ebpf = self.load_for(interface.index, interface.mac.unwrap_or_default(), group)?;
        let pin = self.pins.link(interface.index);
        let filter = self.filters().into_iter().find(|(index, ..)| *index == interface.index);
        let name = xdp_name(self.role).map(|name| names::variant(name, self.is_multi_buffer(interface.index)));
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

    /// Detaches from an interface that no half names any more.
    pub fn detach(&self, interface: u32) -> Result<()> {
        self.remove_device(interface)?;
        nic_state::release_all(&self.pins, Some(interface))?;
        self.pins.remove_pin(&self.pins.link(interface))?;
        self.pins.remove_pin(&self.pins.program(interface))
    }

    /// Replaces the pin of a program by renaming, so that there always is one. Trap: the BPF file system reserves names
    /// with a dot.
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

impl Datapath {
    /// The links, with the index that their interface had when they were made.
    pub fn links(&self) -> Result<Vec<(u32, Link)>> {
        let mut links = Vec::new();
        for index in self.pins.links()? {
            links.push((index, link::query(&self.pins.link(index))?));
        }
        for (index, ..) in self.filters() {
            let program = link::program_id(&self.pins.program(index));
            let interface = Nic::open(index).is_ok().then_some(index);
            links.push((index, Link { holder: Holder::Clsact, interface, program }));
        }
        Ok(links)
    }
}
