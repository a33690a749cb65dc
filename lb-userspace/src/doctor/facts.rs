//! What is known of a host before it is judged: plain values, so that tests can plant them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::mac::Mac;

use crate::{
    config::model::{Config, Role},
    net::{XdpMode, details::Address, ethtool::Channels, features::XdpFeatures},
};

/// The host, whatever its interfaces.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// Whether the kernel's types can be read (BTF).
    pub btf: bool,
    /// Whether the BPF file system is mounted where modlb expects it.
    pub bpffs: bool,
    /// This process's effective capabilities, one bit each.
    pub capabilities: u64,
    /// `net.core.bpf_jit_enable`; `None`: it cannot be seen from here.
    pub jit: Option<u32>,
    /// `net.core.bpf_jit_harden`.
    pub harden: Option<u32>,
    /// CPUs that are online.
    pub cpus: u32,
}

/// The instance.
#[derive(Clone, Debug, Default)]
pub enum Instance {
    /// There is none.
    #[default]
    Missing,
    /// It is not to be used, and why.
    Unusable(String),
    /// It runs.
    Running {
        /// It passes everything.
        standby: bool,
        /// Seconds until a change is rolled back, if one is not confirmed, and whether anything does so.
        unconfirmed: Option<(u64, bool)>,
        /// Links whose interface is gone.
        gone: usize,
    },
}

/// What is balanced.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What this host does.
    pub role: Role,
    /// The services, and where their servers are if they were looked for.
    pub config: Config,
    /// The servers that are up and not this host.
    pub servers: Vec<ServerFacts>,
    /// Whether any server is this host.
    pub here: bool,
    /// Who answers for services' addresses on the attached links: addresses, interfaces, MACs.
    pub answers: Vec<(IpAddr, String, Mac)>,
    /// This host's own addresses.
    pub addresses: Vec<Address>,
    /// The names of interfaces, by index.
    pub names: BTreeMap<u32, String>,
    /// This instance forwards nothing.
    pub standby: bool,
}

/// A server, and who answers for it.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// The first service that has it.
    pub service: String,
    /// Its address.
    pub address: IpAddr,
    /// Where frames go at present: from the instance, or as the configuration says.
    pub mac: Option<Mac>,
    /// The configuration says so.
    pub given: bool,
    /// By which interface, or why not.
    pub way: Result<String, String>,
    /// The state of the kernel's entry.
    pub entry: Option<String>,
    /// Who answers.
    pub answers: BTreeSet<Mac>,
}

/// Whose an XDP program is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Owner {
    /// This instance's.
    Ours,
    /// Another instance's.
    Instance(String),
    /// That of `modlb dev pass`.
    Pass,
    /// Somebody else's, held by a link of this id or, `None`, without one.
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
    /// Whose it is.
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
    /// Where it is: `None`: this namespace.
    pub namespace: Option<Namespace>,
    /// Whether it has an XDP program.
    pub program: bool,
    /// Whether it hands over VLAN tags beside frames; `None`: its namespace could not be entered.
    pub vlan_offload: Option<bool>,
}

/// Another network namespace.
#[derive(Clone, Debug)]
pub enum Namespace {
    /// One with a name or a path.
    Named(String),
    /// One that nothing here leads to.
    Unknown,
}

/// An interface.
#[derive(Clone, Debug, Default)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Whether the cable is in.
    pub carrier: bool,
    /// Its MAC.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// What kind of virtual interface it is.
    pub kind: Option<String>,
    /// The driver's name.
    pub driver: Option<String>,
    /// What the driver can do; `None`: the kernel does not say.
    pub xdp: Option<XdpFeatures>,
    /// The program on it.
    pub program: Option<Program>,
    /// Whether this instance is attached to it.
    pub attached: bool,
    /// By the program for frames in several buffers.
    pub several_buffers: bool,
    /// The features that are on, by name.
    pub features: BTreeMap<String, bool>,
    /// The queues; `None`: the driver does not say.
    pub channels: Option<Channels>,
    /// What it is a member of.
    pub controller: Option<Controller>,
    /// The other end, of a veth.
    pub peer: Option<Peer>,
    /// Its VLANs.
    pub vlans: Vec<String>,
    /// `rp_filter`, the larger one of the interface's and of all.
    pub rp_filter: u32,
}

impl Nic {
    /// Whether a feature is on.
    pub fn is_on(&self, feature: &str) -> bool {
        self.features.get(feature).copied().unwrap_or_default()
    }

    /// Whether our program is on it, in generic mode.
    pub fn is_generic(&self) -> bool {
        self.attached && self.program.as_ref().is_some_and(|program| program.mode == XdpMode::Generic)
    }
}

/// A server's side.
#[derive(Clone, Debug, Default)]
pub struct ServerSide {
    /// The services' addresses.
    pub services: Vec<IpAddr>,
    /// This host's own addresses.
    pub addresses: Vec<Address>,
    /// Its interfaces but for loopback, that are up.
    pub links: Vec<ServerLink>,
    /// Every interface's name, by index.
    pub names: BTreeMap<u32, String>,
    /// The index of loopback.
    pub loopback: u32,
    /// `arp_ignore` and `arp_announce` of all interfaces.
    pub all: [u32; 2],
    /// What the kernel says of packets to each address: its own, or where they would go.
    pub accepted: Vec<(IpAddr, bool)>,
    /// By which interface the answers go, or why they do not: to each client or, in no one's name, to anybody.
    pub routes: Vec<(IpAddr, Option<IpAddr>, Result<String, String>)>,
}

/// An interface of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerLink {
    /// Its name.
    pub name: String,
    /// `arp_ignore` and `arp_announce` of its own.
    pub own: [u32; 2],
    /// `rp_filter`, the larger one of the interface's and of all.
    pub rp_filter: u32,
}
