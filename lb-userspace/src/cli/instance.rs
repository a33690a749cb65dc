//! `modlb attach`, `agent` and `detach`: instances, and the interfaces that they are attached to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lb_common::limits::{MAX_SERVERS, MAX_SERVICES, MAX_SLOTS};

use super::{
    global::IfRunning,
    value::{Listen, up_to},
};
use crate::{config::model::Role, datapath, logging, serve};

/// `modlb attach`.
#[derive(Args, Clone, Debug)]
pub struct Attach {
    /// The interfaces; default: those in the configuration
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// The configuration to put in force; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the program runs
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Role `steer`: attach by clsact, as on kernels before 6.6, even if the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// This host's role; default: the configuration's
    #[arg(long, value_enum)]
    pub role: Option<Role>,
    /// Pass every packet untouched until `modlb activate`
    #[arg(long)]
    pub standby: bool,
    /// Proceed even if a service takes the SSH connection that this command was started over, the network namespace
    /// of a service's `sockets` is not there, or, in role `keep`, a rule translates a service's address
    #[arg(long)]
    pub force: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
}

/// `modlb agent`.
#[derive(Args, Clone, Debug)]
pub struct Agent {
    /// The configuration to keep in force; read again when it changes, and on SIGHUP
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Where to serve metrics and the status page: an address and port, or `unix:FILE`, a socket for root alone; `none`
    /// turns both off
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: Listen,
    /// Where the programs that it attaches run
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Role `steer`: attach by clsact, as on kernels before 6.6, even if the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// Create a new instance on standby: it passes every packet untouched until `modlb activate`; a running one is left
    /// alone
    #[arg(long)]
    pub standby: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
    /// Options of the listener.
    #[command(flatten)]
    pub serve: serve::Options,
    /// How it logs.
    #[command(flatten)]
    pub log: logging::LogOptions,
}

/// How much an instance can hold: fixed when it is created.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Capacity, fixed when an instance is created")]
pub struct Capacity {
    /// Maximum number of services; default: 4,096, or twice what the configuration needs
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SERVICES))]
    pub max_services: Option<u32>,
    /// Maximum number of slots of all different tables; default: 262,144, or twice what the configuration needs, also
    /// when the server that takes most goes down
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SLOTS))]
    pub max_slots: Option<u32>,
    /// Maximum number of server entries over all services; default: 65,536 (less with more than 22 CPUs), or twice what
    /// the configuration needs
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SERVERS))]
    pub max_servers: Option<u32>,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// In the driver if it can, else in the network stack
    #[default]
    Auto,
    /// In the driver
    Native,
    /// In the network stack: slower, but with every driver
    Generic,
}

impl Mode {
    /// Where a role's program runs, `--clsact` considered.
    pub const fn program_mode(self, clsact: bool) -> datapath::Mode {
        match self {
            _ if clsact => datapath::Mode::Clsact,
            Self::Auto => datapath::Mode::Auto,
            Self::Native => datapath::Mode::Native,
            Self::Generic => datapath::Mode::Generic,
        }
    }
}

/// `modlb detach`.
#[derive(Args, Clone, Debug)]
pub struct Detach {
    /// The interfaces; default: all
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// What is success.
    #[command(flatten)]
    pub if_running: IfRunning,
}
