//! `modlb trace` and `modlb logs`.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use lb_common::outcome::Outcome;

use super::{
    global::Format,
    value::{parse_net, parse_outcome, parse_seconds, protocol_help},
};
use crate::trace::query::TraceQuery;

/// Which packets.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which packets (all conditions must match)")]
pub struct Which {
    /// Client or service address, or a prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub address: Option<IpNet>,
    /// Client address or prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub source: Option<IpNet>,
    /// Service address or prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub destination: Option<IpNet>,
    /// Client or service port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The protocol, by name or number.
    #[arg(long, help = protocol_help("; for an ICMP error, that of the quoted packet"))]
    pub protocol: Option<String>,
    /// Only packets that this service takes
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only packets for which this server is chosen
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<IpAddr>,
    /// Only packets with one of these outcomes (comma-separated)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = parse_outcome)]
    pub outcome: Vec<Outcome>,
    /// Trace only this interface (role `steer`: packets that leave by it); may be repeated. Others are not touched
    #[arg(long, value_name = "IFACE")]
    pub interface: Vec<String>,
    /// Report one in N matching packets, counted by each CPU
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: u32,
}

impl From<Which> for TraceQuery {
    fn from(which: Which) -> Self {
        let Which { address, source, destination, port, protocol, service, server, outcome, interface: _, sample } =
            which;
        Self { address, source, destination, port, protocol, service, server, outcomes: outcome, sample }
    }
}

/// `modlb trace`.
#[derive(Args, Clone, Debug)]
pub struct Trace {
    /// Which packets.
    #[command(flatten)]
    pub which: Which,
    /// End after N packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after SECONDS
    #[arg(long, value_parser = parse_seconds)]
    pub seconds: Option<Duration>,
    /// Write each frame, as it came and as it left, to a pcapng file with a comment; `-` writes standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub pcap: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb logs`.
#[derive(Args, Clone, Debug)]
pub struct Logs {
    /// Show messages of this level and more important ones
    #[arg(long, value_enum, default_value_t = Level::Info)]
    pub level: Level,
    /// Client or service address, or a prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub address: Option<IpNet>,
    /// Only packets that arrive by this interface; may be repeated
    #[arg(long, value_name = "IFACE")]
    pub interface: Vec<String>,
    /// Describe only one in N packets
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: u32,
    /// End after SECONDS
    #[arg(long, value_parser = parse_seconds)]
    pub seconds: Option<Duration>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Level {
    /// Packets that could not be sent
    Error,
    /// Also broken packets, and services without servers
    Warn,
    /// Also packets that pass though one might expect them to be forwarded
    Info,
    /// Also each step of each packet
    Debug,
    /// Also the control word that each packet found
    Trace,
}
