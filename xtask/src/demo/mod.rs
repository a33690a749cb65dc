//! `cargo xtask demo`: real HTTP through a real gateway, in network namespaces.

mod arithmetic;
mod change;
mod client;
mod cluster;
mod family;
mod gateway;
mod group;
mod ha;
mod namespace;
mod place;
mod resize;
mod routers;
mod step;
mod stream;
mod table;
mod topology;
mod web;

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::{
    build, interrupt,
    process::{as_root, is_root},
    setup::{self, Need},
};

use self::{family::Family, gateway::PINS, step::step, topology::Topology};

/// The demonstrations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Story {
    /// The main job: a gateway in front of servers.
    Gateway,
    /// Servers that all receive every packet.
    Cluster,
    /// Stateful routers side by side.
    Routers,
    /// Two balancers, of which one takes over.
    HighAvailability,
    /// Servers come and go, and no connection breaks.
    Resize,
}

impl Story {
    /// Its option on the command line.
    const fn option(self) -> Option<&'static str> {
        match self {
            Self::Gateway => None,
            Self::Cluster => Some("--cluster"),
            Self::Routers => Some("--routers"),
            Self::HighAvailability => Some("--ha"),
            Self::Resize => Some("--resize"),
        }
    }

    fn perform(self, modlb: &Path) -> Result<()> {
        match self {
            Self::Gateway => perform(modlb),
            Self::Cluster => cluster::perform(modlb),
            Self::Routers => routers::perform(modlb),
            Self::HighAvailability => ha::perform(modlb),
            Self::Resize => resize::perform(modlb),
        }
    }
}

/// Shows a story from end to end; an expectation that is not met is an error.
pub fn run(story: Story, modlb: Option<PathBuf>) -> Result<()> {
    let modlb = match modlb {
        Some(path) => path,
        None => prepare()?,
    };
    if !is_root() {
        println!("The demonstration needs root for its network namespaces; sudo may ask for your password.");
        let mut again = as_root(env::current_exe()?)?;
        // sudo replaces this process, so that it receives signals and passes them on.
        return Err(again.arg("demo").args(story.option()).arg("--modlb").arg(modlb).exec()).context("cannot run sudo");
    }
    interrupt::install()?;
    let start = Instant::now();
    match story.perform(&modlb) {
        Ok(()) => {
            println!("\nEverything was as expected ({:.0?}); nothing is left behind.", start.elapsed());
            Ok(())
        }
        Err(_) if interrupt::happened() => Err(anyhow!("interrupted; everything was removed")),
        Err(error) => Err(error.context("the demonstration failed; everything was removed")),
    }
}

fn prepare() -> Result<PathBuf> {
    setup::programs(&[Need::Demo])?;
    step("building modlb");
    build::in_profile(false)
}

/// Returns when everything is removed.
fn perform(modlb: &Path) -> Result<()> {
    step("building a network: a client, a gateway, three servers with nginx each, one Ethernet segment");
    let topology = Topology::build(modlb)?;
    step("attaching modlb to the gateway's interface");
    print!("{}", topology.attach()?);
    step("one request from each client: what the formula says, what `modlb explain` says, who answered");
    for family in Family::BOTH {
        table::check(&topology.gateway, family)?;
    }
    step("a steady stream of requests, while one server is taken down and up again");
    change::check(&topology.gateway)?;
    step("modlb status");
    println!("{}", topology.gateway.modlb(&["status"])?);
    step("modlb stats");
    println!("{}", topology.gateway.modlb(&["stats"])?);
    check_stats(&topology)?;
    step("detaching, and removing everything");
    topology.gateway.modlb(&["detach"])?;
    ensure!(!Path::new(PINS).exists(), "detach left something behind");
    Ok(())
}

fn check_stats(topology: &Topology) -> Result<()> {
    let stats = topology.gateway.json(&["stats", "--json"])?;
    let outcomes = &stats["outcomes"];
    ensure!(outcomes["forwarded"]["packets"].as_u64() > Some(0), "nothing was counted as forwarded");
    ensure!(outcomes["no_server"]["packets"] == 0, "packets were dropped for want of a server");
    let services = stats["services"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(services.len() == Family::BOTH.len(), "stats does not show both services");
    let servers = services.iter().flat_map(|service| service["servers"].as_array()).flatten();
    ensure!(servers.clone().count() == Family::BOTH.len() * family::SERVERS.len(), "stats does not show all servers");
    for server in servers {
        ensure!(server["packets"].as_u64() > Some(0), "nothing was counted for {}", server["address"]);
    }
    Ok(())
}
