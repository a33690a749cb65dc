//! Mends what other programs, the kernel or a killed command changed of what an instance has on interfaces.

use anyhow::Result;

use super::{
    relocate::relocate,
    resolve::{Form, UnresolvedServer},
    sockets,
    steps::{Interrupt, Steps},
};
use crate::{
    config::model::Group,
    datapath::{Misfit, Port, PortState, Writer, attached, ports},
    net::{Interface, Net},
};

/// What was mended, and what could not be.
#[derive(Debug, Default)]
pub struct Mended {
    /// A line for each thing that was mended.
    pub lines: Vec<String>,
    /// A line for each that could not be.
    pub problems: Vec<String>,
    /// Servers that cannot be reached.
    pub unresolved: Vec<UnresolvedServer>,
    /// Whether another half was published.
    pub published: bool,
}

impl Mended {
    fn record(&mut self, line: String, result: Result<()>) {
        match result {
            Ok(()) => self.lines.push(line),
            Err(error) => self.problems.push(format!("{line}, but it cannot be mended: {error:#}")),
        }
    }
}

/// Brings what an instance has on its interfaces back to what it has recorded: programs, links, MACs, the interfaces to
/// redirect to, settings, servers' locations, the network namespaces of sockets, and the addresses that prefix services
/// leave alone. A problem of one interface does not keep the others from being mended.
///
/// # Errors
///
/// The network cannot be read, or what is right now does not fit.
pub async fn mend(writer: &mut Writer, net: &Net) -> Result<Mended> {
    let mut mended = interfaces(writer, net).await?;
    let generation = writer.generation();
    let here = attached(writer, net).await?;
    let mut steps = Steps::new(Interrupt::default());
    mended.unresolved = relocate(&mut steps, writer, net, &here, Form::Shortest).await?;
    mended.published |= writer.generation() != generation;
    let have = writer.snapshot();
    mended.problems.extend(sockets::missing(&have));
    let lost = writer.lost_nic_states()?;
    match writer.reconcile_nic_state(&here, &have.config) {
        Ok(lines) => mended.lines.extend(lines),
        Err(error) => mended.problems.push(error.to_string()),
    }
    let name = |index| here.iter().find(|interface| interface.index == index).map(|interface| interface.name.clone());
    mended
        .lines
        .extend(lost.into_iter().filter_map(|(index, what)| Some(format!("{} receives {what} again", name(index)?))));
    Ok(mended)
}

/// The same for programs, links and the interfaces to redirect to. Until this is followed by a relocation, each server
/// names its interface.
///
/// # Errors
///
/// The network cannot be read.
pub async fn interfaces(writer: &mut Writer, net: &Net) -> Result<Mended> {
    let mut mended = Mended::default();
    let group = writer.snapshot().config.group;
    let ports = ports(writer, net).await?;
    for port in ports.iter().filter(|port| matches!(port.state, PortState::Gone | PortState::Moved)) {
        let what = if port.state == PortState::Gone { "is gone" } else { "is in another network namespace" };
        let done = writer.forget(port.index).map_err(Into::into);
        mended.record(format!("{} {what}; modlb no longer uses it", port.name), done);
    }
    for port in &ports {
        match &port.state {
            PortState::Detached(interface) => attach_again(writer, net, port, interface, &group, &mut mended).await?,
            PortState::Attached(interface) => replace(writer, port, interface, &group, &mut mended),
            PortState::Gone | PortState::Moved => {}
        }
    }
    let here = attached(writer, net).await?;
    for interface in writer.lacking_devices(&here)?.into_iter().cloned().collect::<Vec<_>>() {
        let done = writer.enter_devices(std::slice::from_ref(&interface)).map_err(Into::into);
        mended.record(format!("frames are redirected to {} again", interface.name), done);
    }
    Ok(mended)
}

/// Attaches to an interface whose program was detached by other means.
async fn attach_again(
    writer: &mut Writer,
    net: &Net,
    port: &Port,
    interface: &Interface,
    group: &Group,
    mended: &mut Mended,
) -> Result<()> {
    if port.link.is_none() {
        // A command was killed before it was attached.
        writer.forget(port.index)?;
        return Ok(());
    }
    // With one interface left, servers may be named in the shortest form, which would be wrong on a second one.
    let others = attached(writer, net).await?;
    let mut steps = Steps::new(Interrupt::default());
    if !others.is_empty() {
        relocate(&mut steps, writer, net, &others, Form::Explicit).await?;
    }
    // Its record stays if this fails, so that it is tried again.
    let result = steps.attach(writer, interface, port.mode.again(), group).await;
    mended.record(format!("{} had lost its program; it is attached again", interface.name), result);
    Ok(())
}

/// Replaces the program of an interface if it was made for another MAC, or is not the recorded one.
fn replace(writer: &mut Writer, port: &Port, interface: &Interface, group: &Group, mended: &mut Mended) {
    let line = match port.misfit(interface, writer.is_being_traced()) {
        Some(Misfit::Mac) => format!("{} has a new MAC; its program was replaced", interface.name),
        Some(Misfit::Program) => format!("{} had another program; it was replaced", interface.name),
        None => return,
    };
    mended.record(line, writer.replace(interface, group).map_err(Into::into));
}
