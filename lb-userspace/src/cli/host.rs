//! `modlb doctor` and `dev`: this host and its interfaces.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::global::Format;

/// `modlb doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// The interfaces to check; default: the instance's, or else the configuration's
    #[arg(value_name = "IFACE", conflicts_with = "server")]
    pub interfaces: Vec<String>,
    /// Use the services of this configuration instead of those in force; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check this host as a server with role `keep`, also before it is attached; with --config, the file may be that of
    /// balancers
    #[arg(long, conflicts_with = "server")]
    pub keep: bool,
    /// Check this host as a server: it must accept packets for the services without announcing their addresses
    #[arg(long)]
    pub server: bool,
    /// With --server: a service's address
    #[arg(long, value_name = "ADDRESS", requires = "server", value_delimiter = ',')]
    pub service: Vec<IpAddr>,
    /// With --server: a client that must get answers; default: clients anywhere
    #[arg(long, value_name = "ADDRESS", requires = "server", value_delimiter = ',')]
    pub client: Vec<IpAddr>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb dev`.
#[derive(Clone, Debug, Subcommand)]
pub enum Dev {
    /// Attach a program that passes every packet
    #[command(after_help = "Example:\n  modlb dev pass veth0\n  modlb dev pass veth0 --remove")]
    Pass {
        /// The interface
        #[arg(value_name = "IFACE")]
        interface: String,
        /// Detach it
        #[arg(long)]
        remove: bool,
    },
}
