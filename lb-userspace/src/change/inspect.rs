//! Compares what an instance has on interfaces with what the kernel lists.

use std::fmt;

use anyhow::Result;

use super::{
    relocate::{differs, place_again},
    resolve::{Form, Resolved},
    sockets,
};
use crate::{
    config::model::{Role, Service},
    datapath::{Datapath, Location, Misfit, Placed, Port, PortState, Snapshot, ports},
    net::{Interface, Net},
};

/// Something that is not as the instance has recorded it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The interface that it is about; `None`: a server, a service, or this host.
    pub interface: Option<String>,
    /// What it is, as a sentence without its end.
    pub text: String,
}

impl Difference {
    fn of(interface: &str, text: String) -> Self {
        Self { interface: Some(interface.to_owned()), text }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What `apply` or the agent would mend. Changes nothing and asks nobody but the kernel.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn inspect(datapath: &Datapath, net: &Net) -> Result<Vec<Difference>> {
    let ports = ports(datapath, net).await?;
    let mut found = of_ports(datapath, &ports)?;
    found.extend(of_sockets(datapath, net).await?);
    let here: Vec<_> = ports.iter().filter_map(Port::attached).cloned().collect();
    found.extend(of_servers(datapath, net, &here).await?);
    Ok(found)
}

/// The part that is about programs, links and settings of interfaces, and the network namespaces of sockets.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn without_servers(datapath: &Datapath, net: &Net) -> Result<Vec<Difference>> {
    let mut found = of_ports(datapath, &ports(datapath, net).await?)?;
    found.extend(of_sockets(datapath, net).await?);
    Ok(found)
}

/// Differences of the network namespaces of services' sockets.
async fn of_sockets(datapath: &Datapath, net: &Net) -> Result<Vec<Difference>> {
    // Reading what is in force takes long where there are many servers, and no other role looks for sockets.
    if datapath.role() != Role::Keep {
        return Ok(Vec::new());
    }
    let lines = sockets::differences(net, &datapath.snapshot()).await?;
    Ok(lines.into_iter().map(|text| Difference { interface: None, text }).collect())
}

fn of_ports(datapath: &Datapath, ports: &[Port]) -> Result<Vec<Difference>> {
    let here: Vec<_> = ports.iter().filter_map(Port::attached).cloned().collect();
    let traced = datapath.is_being_traced();
    let mut found: Vec<_> = ports.iter().filter_map(|port| of_port(port, traced)).collect();
    for interface in datapath.lacking_devices(&here)? {
        found.push(Difference::of(&interface.name, "frames cannot be redirected to it any more".to_owned()));
    }
    for (index, what) in datapath.lost_nic_states()? {
        let name = here.iter().find(|interface| interface.index == index).map(|interface| interface.name.as_str());
        found.extend(name.map(|name| Difference::of(name, format!("it no longer receives {what}"))));
    }
    Ok(found)
}

fn of_port(port: &Port, traced: bool) -> Option<Difference> {
    let text = match &port.state {
        PortState::Gone => "the interface is gone".to_owned(),
        PortState::Moved => "the interface is in another network namespace".to_owned(),
        PortState::Detached(_) => "its program was detached by another program than modlb".to_owned(),
        PortState::Attached(interface) => match (port.misfit(interface, traced)?, interface.mac) {
            (Misfit::Mac, None) => "it has no Ethernet address any more".to_owned(),
            (Misfit::Mac, Some(mac)) => {
                format!("its MAC is {mac}, the program takes {} for it: nothing is forwarded", port.mac)
            }
            (Misfit::Program, _) => {
                let running = port.link.map_or(0, |link| link.program);
                format!("it runs program {running} instead of modlb's {}", port.program)
            }
        },
    };
    Some(Difference::of(&port.name, text))
}

/// Differences of servers' locations and reachability, and of this host's addresses.
async fn of_servers(datapath: &Datapath, net: &Net, here: &[Interface]) -> Result<Vec<Difference>> {
    let have = datapath.snapshot();
    let Resolved { placed, .. } = place_again(net, here, Form::Shortest, &have).await?;
    if !differs(&placed, &have) {
        return Ok(Vec::new());
    }
    let mut lines = server_lines(&have, &placed);
    if placed.own_digest() != have.record.own {
        lines.push("this host's addresses have changed; the datapath goes by the earlier ones".to_owned());
    }
    Ok(lines.into_iter().map(|text| Difference { interface: None, text }).collect())
}

/// A line for each server that is elsewhere, or can or cannot be reached now.
fn server_lines(have: &Snapshot, placed: &Placed) -> Vec<String> {
    let rows = |config: &[Service], locations: &[Vec<Location>]| -> Vec<_> {
        let services = config.iter().zip(locations);
        let servers = services.flat_map(|(service, row)| {
            let servers = service.servers.iter().zip(service.standings()).zip(row);
            servers.map(|((server, standing), location)| {
                let name = format!("{} {}", service.name, server.address);
                (name, standing, location.number(), server.mac.get())
            })
        });
        servers.collect()
    };
    let (before, after) =
        (rows(&have.config.services, &have.locations), rows(&placed.config.services, &placed.locations));
    let mut lines = Vec::new();
    for ((name, was, there, had), (_, is, here, has)) in before.into_iter().zip(after) {
        let reason = is.reason(|index| format!("interface {index}"));
        if was.name() != is.name()
            || (reason.is_some() && was.reason(|_| String::new()) != is.reason(|_| String::new()))
        {
            lines.push(match reason {
                Some(reason) => format!("server {name}: {}, not {}: {reason}", is.name(), was.name()),
                None => format!("server {name}: {}, not {}", is.name(), was.name()),
            });
        } else if there != here {
            lines.push(format!("server {name}: it is behind another interface now"));
        } else if had != has {
            lines.push(format!("server {name}: its MAC has to be found again"));
        }
    }
    lines
}
