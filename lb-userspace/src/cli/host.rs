//! `modlb doctor` and `dev`: this host and its interfaces.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::global::Format;

/// `modlb doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// The interfaces to look at; omitted: those of the instance, or else of the configuration
    #[arg(value_name = "IFACE", conflicts_with = "server")]
    pub interfaces: Vec<String>,
    /// Go by the services of this configuration instead of those in force; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// This host is a server: does it take packets for the services, and keep quiet about it?
    #[arg(long)]
    pub server: bool,
    /// With --server: a service's address
    #[arg(long, value_name = "ADDRESS", requires = "server", value_delimiter = ',')]
    pub service: Vec<IpAddr>,
    /// With --server: a client that must be answered; omitted: clients anywhere
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
        /// Detach it again
        #[arg(long)]
        remove: bool,
    },
}
