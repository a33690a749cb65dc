//! Facts about a host, before they are judged: plain values, so that tests can plant them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::mac::Mac;

use crate::{
    config::model::{Config, Netns, Role},
    net::{XdpMode, details::Address, ethtool::Channels, features::XdpFeatures, sockets::Listener},
};

/// The host, apart from its interfaces.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// Whether the kernel's BTF can be read.
    pub btf: bool,
    /// Whether the BPF file system is mounted where modlb expects it.
    pub bpffs: bool,
    /// If others do not see the BPF file system of this process: what to do about it.
    pub own_mounts: Option<String>,
    /// This process's effective capabilities, one bit each.
    pub capabilities: u64,
    /// `net.core.bpf_jit_enable`; `None`: not visible from here.
    pub jit: Option<u32>,
    /// `net.core.bpf_jit_harden`.
    pub harden: Option<u32>,
    /// Online CPUs.
    pub cpus: u32,
}

/// The instance.
#[derive(Clone, Debug, Default)]
pub enum Instance {
    /// There is none.
    #[default]
    Missing,
    /// It cannot be used, and why.
    Unusable(String),
    /// It runs.
    Running {
        /// It is on standby.
        standby: bool,
        /// For an unconfirmed change: seconds until it is rolled back, and whether a process waits to do so.
        unconfirmed: Option<(u64, bool)>,
        /// What is not as the instance has recorded it: the interface, if it is about one, and a sentence.
        differences: Vec<(Option<String>, String)>,
    },
}

/// Services, servers and their addresses.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// This host's role.
    pub role: Role,
    /// The services, with their servers' MACs if known.
    pub config: Config,
    /// The servers that are up and are not this host; in role `keep` also those that are down, and former ones.
    pub servers: Vec<ServerFacts>,
    /// This host as a server that keeps connections, in that role.
    pub keep: Option<KeepSide>,
    /// This host's TCP sockets that listen, in role `member`.
    pub listeners: Vec<Listener>,
    /// The other balancers.
    pub peers: Vec<PeerFacts>,
    /// Whether any server is this host.
    pub here: bool,
    /// Who answers for services' addresses on the attached links: addresses, interfaces, MACs.
    pub answers: Vec<(IpAddr, String, Mac)>,
    /// This host's own addresses.
    pub addresses: Vec<Address>,
    /// The names of interfaces, by index.
    pub names: BTreeMap<u32, String>,
    /// Whether the instance is on standby.
    pub standby: bool,
    /// The instance's room; `None`: it does not run.
    pub room: Option<Room>,
}

/// What an instance has room for.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// What does not fit, of the configuration or of the worst single failure.
    pub shortages: Vec<String>,
    /// What to know if its tables are coarser than usual.
    pub coarser: Option<String>,
    /// Servers whose state is not in force.
    pub left_out: u32,
}

/// A server, and who answers for it.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The first service that has it.
    pub service: String,
    /// Its address.
    pub address: IpAddr,
    /// The MAC that frames go to: the instance's, or else the configuration's.
    pub mac: Option<Mac>,
    /// Whether the configuration gives the MAC.
    pub given: bool,
    /// Whether only `previous` lists have it.
    pub former: bool,
    /// The interface that leads to it, or why there is none.
    pub route: Result<String, String>,
    /// The state of the kernel's neighbour entry.
    pub entry: Option<String>,
    /// The MACs that answer for its address.
    pub answers: BTreeSet<Mac>,
}

impl ServerFacts {
    /// Every MAC at which it may be.
    pub fn macs(&self) -> BTreeSet<Mac> {
        self.answers.iter().copied().chain(self.mac).collect()
    }
}

/// Another balancer, and who answers for it.
#[derive(Clone, Debug)]
pub struct PeerFacts {
    /// Its address.
    pub address: IpAddr,
    /// The MAC of its frames, as the instance knows it.
    pub mac: Option<Mac>,
    /// The MACs that answer for its address.
    pub answers: BTreeSet<Mac>,
}

impl PeerFacts {
    /// Every MAC at which it may be.
    pub fn macs(&self) -> impl Iterator<Item = Mac> {
        self.mac.into_iter().chain(self.answers.iter().copied())
    }
}

/// The owner of an XDP program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Owner {
    /// This instance's.
    Ours,
    /// Another instance's.
    Instance(String),
    /// That of `modlb dev pass`.
    Pass,
    /// A foreign program, held by the link with this id, or by none.
    Other(Option<u32>),
}

/// A program on an interface.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it runs.
    pub mode: XdpMode,
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: Owner,
}

/// What an interface is a member of.
#[derive(Clone, Debug)]
pub struct Controller {
    /// Its name.
    pub name: String,
    /// `bridge`, `bond`, …
    pub kind: String,
    /// Its MAC.
    pub mac: Option<Mac>,
}

/// The other end of a veth.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its namespace; `None`: this one.
    pub namespace: Option<Namespace>,
    /// Whether it has an XDP program.
    pub program: bool,
    /// Whether it passes VLAN tags alongside frames; `None`: its namespace could not be entered.
    pub vlan_offload: Option<bool>,
}

/// Another network namespace.
#[derive(Clone, Debug)]
pub enum Namespace {
    /// One with a name or a path.
    Named(String),
    /// One that cannot be entered from here.
    Unknown,
}

/// An interface.
#[derive(Clone, Debug, Default)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Whether it has a carrier.
    pub carrier: bool,
    /// Its MAC.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// The kind of virtual interface.
    pub kind: Option<String>,
    /// The driver's name.
    pub driver: Option<String>,
    /// The driver's XDP features; `None`: the kernel does not report them.
    pub xdp: Option<XdpFeatures>,
    /// The program on it.
    pub program: Option<Program>,
    /// Whether this instance is attached to it.
    pub attached: bool,
    /// Whether it is attached by the program for frames in several buffers.
    pub several_buffers: bool,
    /// The features that are on, by name.
    pub features: BTreeMap<String, bool>,
    /// The queues; `None`: the driver does not report them.
    pub channels: Option<Channels>,
    /// The bridge, bond or the like that it belongs to.
    pub controller: Option<Controller>,
    /// The other end, of a veth.
    pub peer: Option<Peer>,
    /// Its VLANs.
    pub vlans: Vec<String>,
    /// `rp_filter`: the larger value of the interface's and of `all`.
    pub rp_filter: u32,
}

impl Nic {
    /// Whether a feature is on.
    pub fn is_on(&self, feature: &str) -> bool {
        self.features.get(feature).copied().unwrap_or_default()
    }

    /// Whether our program runs on it natively.
    pub fn is_native(&self) -> bool {
        self.attached && self.program.as_ref().is_some_and(|program| program.mode == XdpMode::Native)
    }

    /// Whether our program runs on it in generic mode.
    pub fn is_generic(&self) -> bool {
        self.attached && self.program.as_ref().is_some_and(|program| program.mode == XdpMode::Generic)
    }
}

/// A server, seen from itself.
#[derive(Clone, Debug, Default)]
pub struct ServerSide {
    /// The services' addresses.
    pub services: Vec<IpAddr>,
    /// This host's own addresses.
    pub addresses: Vec<Address>,
    /// Its interfaces that are up, except loopback.
    pub links: Vec<ServerLink>,
    /// Every interface's name, by index.
    pub names: BTreeMap<u32, String>,
    /// The index of loopback.
    pub loopback: u32,
    /// `arp_ignore` and `arp_announce` of all interfaces.
    pub all: [u32; 2],
    /// For each address, whether the kernel accepts packets to it as its own.
    pub accepted: Vec<(IpAddr, bool)>,
    /// For each service and client (`None`: clients anywhere): the interface by which answers leave, or why they
    /// cannot.
    pub routes: Vec<(IpAddr, Option<IpAddr>, Result<String, String>)>,
}

/// A server that keeps connections, seen from itself.
#[derive(Clone, Debug)]
pub struct KeepSide {
    /// What any server needs.
    pub server: ServerSide,
    /// Its TCP sockets that listen.
    pub listeners: Vec<Listener>,
    /// Other network namespaces with sockets of services, or why they cannot be entered.
    pub elsewhere: Vec<(Netns, Result<Elsewhere, String>)>,
    /// Rules that translate destinations, or why they could not be read.
    pub rules: Result<Vec<String>, String>,
}

/// A network namespace with sockets of services, on the same host.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// The TCP sockets that listen there.
    pub listeners: Vec<Listener>,
    /// For each service's address, whether the kernel accepts packets to it there as its own.
    pub accepted: Vec<(IpAddr, bool)>,
    /// For each service's address, the interface by which packets to it leave the namespace of the interfaces, or why
    /// they do not.
    pub ways: Vec<(IpAddr, Result<String, String>)>,
}

/// An interface of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerLink {
    /// Its name.
    pub name: String,
    /// Its own `arp_ignore` and `arp_announce`.
    pub own: [u32; 2],
    /// `rp_filter`: the larger value of the interface's and of `all`.
    pub rp_filter: u32,
}
