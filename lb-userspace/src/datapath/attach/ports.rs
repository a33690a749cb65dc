//! The interfaces of an instance: a record of each, and what the kernel says about it now.
//!
//! Trap: a program stays on an interface that moves to another network namespace. Its index then means nothing here, or
//! another interface. So an interface counts as attached only if it is listed here and runs the program of its link.

use aya::programs::{SchedClassifier, TcAttachType};
use lb_common::{mac::Mac, record::PortRecord};

use super::{
    link::{Holder, Link},
    mode::Mode,
};
use crate::{
    datapath::{
        error::{Error, Result},
        kill_point,
        store::{Datapath, Writer},
    },
    net::{self, Interface, Net, XdpMode, namespaces},
};

/// How a program was attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortMode {
    /// XDP in the driver.
    Native,
    /// XDP in the network stack.
    Generic,
    /// Traffic control by a TCX link.
    Tcx,
    /// Traffic control by a clsact filter.
    Clsact,
}

/// An interface of an instance.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its index when it was attached.
    pub index: u32,
    /// Its name when it was attached.
    pub name: String,
    /// The MAC that its program takes for the interface's.
    pub mac: Mac,
    /// How the program was attached.
    pub mode: PortMode,
    /// The id of the regular program that was made for it; 0: none is recorded.
    pub program: u32,
    /// What holds the program; `None`: nothing, as a command was killed.
    pub link: Option<Link>,
    /// What has become of it.
    pub state: PortState,
}

/// What has become of an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PortState {
    /// It is here and runs a program of its link.
    Attached(Interface),
    /// It is here, but its program was detached by other means.
    Detached(Interface),
    /// It is in another network namespace, with the program.
    Moved,
    /// It does not exist any more.
    Gone,
}

impl PortState {
    /// The name in output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Attached(_) => "attached",
            Self::Detached(_) => "detached",
            Self::Moved => "moved",
            Self::Gone => "gone",
        }
    }
}

/// Why a program that is attached has to be replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Misfit {
    /// It was made for another MAC than the interface's.
    Mac,
    /// It is not the recorded one.
    Program,
}

impl Port {
    /// Why the program of an attached interface has to be replaced. `traced`: a tracing program may be in its place.
    pub fn misfit(&self, interface: &Interface, traced: bool) -> Option<Misfit> {
        if interface.mac.unwrap_or_default() != self.mac {
            return Some(Misfit::Mac);
        }
        let foreign = self.link.is_some_and(|link| link.program != self.program);
        (foreign && !traced).then_some(Misfit::Program)
    }

    /// The interface, if it is here, attached or not.
    pub const fn here(&self) -> Option<&Interface> {
        match &self.state {
            PortState::Attached(interface) | PortState::Detached(interface) => Some(interface),
            PortState::Moved | PortState::Gone => None,
        }
    }

    /// The interface, if it is attached.
    pub const fn attached(&self) -> Option<&Interface> {
        match &self.state {
            PortState::Attached(interface) => Some(interface),
            PortState::Detached(_) | PortState::Moved | PortState::Gone => None,
        }
    }
}

/// Every interface that an instance has been attached to.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn ports(datapath: &Datapath, net: &Net) -> anyhow::Result<Vec<Port>> {
    loop {
        let links = datapath.links()?;
        let mut found = Vec::new();
        for record in datapath.port_records() {
            let link = links.iter().find(|(index, _)| *index == record.interface).map(|(_, link)| *link);
            let here = here(net, record.interface).await?;
            let state = match (link, here) {
                (Some(link), here) => state(net, record.interface, &datapath.filters(), link, here).await?,
                (None, Some(interface)) => PortState::Detached(interface),
                (None, None) => PortState::Gone,
            };
            found.push(port(&record, link, state));
        }
        // Another command may have replaced a program meanwhile.
        let settled = datapath.links()? == links;
        if settled || found.iter().all(|port| port.attached().is_some()) {
            return Ok(found);
        }
    }
}

/// The interfaces that an instance is attached to, without those that are gone, detached or elsewhere.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn attached(datapath: &Datapath, net: &Net) -> anyhow::Result<Vec<Interface>> {
    Ok(ports(datapath, net).await?.iter().filter_map(Port::attached).cloned().collect())
}

/// The interface that a link or filter of any version is on, and how its program was attached. `None`: it is gone,
/// elsewhere, or has lost its program.
pub(in crate::datapath) async fn found(
    net: &Net,
    index: u32,
    filters: &[(u32, u16, u32)],
    link: Link,
) -> net::Result<Option<(Interface, PortMode)>> {
    let here = here(net, index).await?;
    let PortState::Attached(interface) = state(net, index, filters, link, here).await? else { return Ok(None) };
    let generic = interface.xdp.is_some_and(|xdp| xdp.mode == XdpMode::Generic);
    let mode = match link.holder {
        Holder::Xdp if generic => PortMode::Generic,
        Holder::Xdp => PortMode::Native,
        Holder::Tcx => PortMode::Tcx,
        Holder::Clsact => PortMode::Clsact,
    };
    Ok(Some((interface, mode)))
}

async fn here(net: &Net, index: u32) -> net::Result<Option<Interface>> {
    match net.interface_by_index(index).await {
        Ok(interface) => Ok(Some(interface)),
        Err(net::Error::NoInterfaceIndex(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The state of an interface that has a link or a filter.
async fn state(
    net: &Net,
    index: u32,
    filters: &[(u32, u16, u32)],
    link: Link,
    here: Option<Interface>,
) -> net::Result<PortState> {
    let holds = match (&here, link.holder) {
        (None, _) => false,
        (Some(interface), Holder::Xdp) => interface.xdp.is_some_and(|xdp| xdp.program_id == link.program),
        (Some(interface), Holder::Tcx) => {
            let has = |hook| {
                let programs = SchedClassifier::query_tcx(&interface.name, hook);
                programs.is_ok_and(|(_, programs)| programs.iter().any(|program| program.id() == link.program))
            };
            has(TcAttachType::Egress) || has(TcAttachType::Ingress)
        }
        (Some(interface), Holder::Clsact) => {
            let found = net.clsact_filters(interface.index).await?;
            let mut ours = filters.iter().filter(|(of, ..)| *of == index);
            ours.any(|(_, priority, handle)| found.contains(&(*priority, *handle)))
        }
    };
    Ok(judge(link, here, holds))
}

/// `holds`: the interface that has the index here runs the link's program.
fn judge(link: Link, here: Option<Interface>, holds: bool) -> PortState {
    let is_link = matches!(link.holder, Holder::Xdp | Holder::Tcx);
    match here {
        Some(interface) if holds => PortState::Attached(interface),
        // A link that is alive is on another interface than the one that has the index here.
        Some(_) | None if is_link && link.interface.is_some() => PortState::Moved,
        Some(interface) => PortState::Detached(interface),
        None => PortState::Gone,
    }
}

fn port(record: &PortRecord, link: Option<Link>, state: PortState) -> Port {
    let name = record.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Port {
        index: record.interface,
        name: String::from_utf8_lossy(name).into_owned(),
        mac: Mac(record.mac),
        mode: PortMode::from(record.mode),
        program: record.program,
        link,
        state,
    }
}

impl PortMode {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }

    /// As `attach` takes it, to attach again in the same way.
    pub const fn again(self) -> Mode {
        match self {
            Self::Native => Mode::Native,
            Self::Generic => Mode::Generic,
            Self::Tcx => Mode::Auto,
            Self::Clsact => Mode::Clsact,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Native => PortRecord::NATIVE,
            Self::Generic => PortRecord::GENERIC,
            Self::Tcx => PortRecord::TCX,
            Self::Clsact => PortRecord::CLSACT,
        }
    }
}

impl From<u8> for PortMode {
    /// The mode with this number in a record.
    fn from(number: u8) -> Self {
        match number {
            PortRecord::GENERIC => Self::Generic,
            PortRecord::TCX => Self::Tcx,
            PortRecord::CLSACT => Self::Clsact,
            _ => Self::Native,
        }
    }
}

impl Datapath {
    /// The records in use.
    pub(in crate::datapath) fn port_records(&self) -> Vec<PortRecord> {
        let ports = &self.maps.ports;
        ports.read(0, ports.len()).into_iter().filter(|record| record.interface != 0).collect()
    }

    /// The record of an interface.
    pub(in crate::datapath) fn port_record(&self, index: u32) -> Option<PortRecord> {
        self.port_records().into_iter().find(|record| record.interface == index)
    }
}

impl Writer {
    /// Records an interface, in place of its record so far.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyInterfaces`].
    pub(in crate::datapath) fn record_port(
        &mut self,
        interface: &Interface,
        mode: PortMode,
        program: u32,
    ) -> Result<()> {
        let mut name = [0; 16];
        for (place, byte) in name.iter_mut().zip(interface.name.bytes()) {
            *place = byte;
        }
        let record = PortRecord {
            netns_cookie: namespaces::cookie().unwrap_or_default(),
            interface: interface.index,
            program,
            name,
            mac: interface.mac.unwrap_or_default().0,
            mode: mode.number(),
            reserved: 0,
        };
        let ports = &mut self.datapath.maps.ports;
        let place = |wanted: u32| (0..ports.len()).find(|place| ports.get(*place).interface == wanted);
        let place = place(interface.index).or_else(|| place(0)).ok_or(Error::TooManyInterfaces(ports.len()))?;
        ports.write(place, &[record]);
        kill_point::step();
        Ok(())
    }

    /// Clears the record of an interface.
    pub(in crate::datapath) fn clear_port(&mut self, index: u32) {
        let ports = &mut self.datapath.maps.ports;
        for place in (0..ports.len()).filter(|place| ports.get(*place).interface == index).collect::<Vec<_>>() {
            ports.write(place, &[PortRecord::default()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says after each thing that may happen to an interface.
    #[test]
    fn an_interface_is_attached_only_if_it_is_here_and_runs_the_program() {
        let interface = Interface { index: 4, name: "eth0".into(), ..Interface::default() };
        let link = |holder, interface| Link { holder, interface, program: 7 };
        let here = || Some(interface.clone());
        for holder in [Holder::Xdp, Holder::Tcx] {
            assert_eq!(judge(link(holder, Some(4)), here(), true), PortState::Attached(interface.clone()));
            // Somebody detached the link, or deleted the interface.
            assert_eq!(judge(link(holder, None), here(), false), PortState::Detached(interface.clone()));
            assert_eq!(judge(link(holder, None), None, false), PortState::Gone);
            // It has the same index elsewhere, another one, or another interface has its index here.
            assert_eq!(judge(link(holder, Some(4)), None, false), PortState::Moved);
            assert_eq!(judge(link(holder, Some(9)), None, false), PortState::Moved);
            assert_eq!(judge(link(holder, Some(4)), here(), false), PortState::Moved);
        }
        assert_eq!(judge(link(Holder::Clsact, Some(4)), here(), true), PortState::Attached(interface.clone()));
        assert_eq!(judge(link(Holder::Clsact, Some(4)), here(), false), PortState::Detached(interface));
        assert_eq!(judge(link(Holder::Clsact, None), None, false), PortState::Gone);
    }
}
