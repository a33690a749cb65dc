//! `modlb attach`, `agent` and `detach`: instances, and the interfaces that they are attached to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lb_common::limits::{MAX_SERVERS, MAX_SERVICES, MAX_SLOTS};

use super::value::{Listen, up_to};
use crate::{config::model::Role, datapath, serve};

/// `modlb attach`.
#[derive(Args, Clone, Debug)]
pub struct Attach {
    /// The interfaces; omitted: those that the configuration names
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// The configuration to put in force; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the program runs
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Of role `steer`: attach by clsact, as on kernels before 6.6, even where the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// What this host does with the formula; omitted: what the configuration says
    #[arg(long, value_enum)]
    pub role: Option<Role>,
    /// Pass every packet untouched until `modlb activate`
    #[arg(long)]
    pub standby: bool,
    /// Even if a service takes the SSH connection that this command came by
    #[arg(long)]
    pub force: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
}

/// `modlb agent`.
#[derive(Args, Clone, Debug)]
pub struct Agent {
    /// The configuration to keep the instance to; read again when it changes, and on SIGHUP
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Where metrics and the status page are; `none`: nowhere
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: Listen,
    /// Where programs run that it attaches
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Of role `steer`: attach by clsact, as on kernels before 6.6, even where the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// An instance that it makes passes every packet untouched until `modlb activate`; one that runs is left as it is
    #[arg(long)]
    pub standby: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
    /// How the listener answers.
    #[command(flatten)]
    pub serve: serve::Options,
}

/// How much an instance can hold: fixed when it is made.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Capacity, fixed when an instance is made")]
pub struct Capacity {
    /// The most services; 4,096 unless said
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SERVICES))]
    pub max_services: Option<u32>,
    /// The most slots, over all services; 262,144 unless said
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SLOTS))]
    pub max_slots: Option<u32>,
    /// The most server entries, over all services; 65,536 unless said, or what more than 170 CPUs can count
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
    /// The interfaces; omitted: all
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
}
