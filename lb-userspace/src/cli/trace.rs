//! `modlb trace` and `modlb logs`.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use lb_common::outcome::Outcome;

use super::{
    global::Format,
    value::{parse_net, parse_outcome, parse_seconds},
};
use crate::trace::wanted::TraceQuery;

/// Which packets.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which packets: those that fit all of it")]
pub struct Which {
    /// Client or service has this address, or one of this prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub address: Option<IpNet>,
    /// The client has it
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub source: Option<IpNet>,
    /// The service has it
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub destination: Option<IpNet>,
    /// Client or service has this port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// tcp, udp, sctp, dccp, udplite, icmp, icmpv6, esp, ah, gre or a number; of an ICMP error, that of what it quotes
    #[arg(long)]
    pub protocol: Option<String>,
    /// A service took it
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// A server was chosen for it
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<IpAddr>,
    /// It ended so; several, separated by commas: in one of these ways
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = parse_outcome)]
    pub outcome: Vec<Outcome>,
    /// It came by this interface (role `steer`: it leaves by it); may be given several times. Others are left alone
    #[arg(long, value_name = "IFACE")]
    pub interface: Vec<String>,
    /// One of so many of those that fit, counted by each CPU
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
    /// End after so many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_parser = parse_seconds)]
    pub seconds: Option<Duration>,
    /// Write frames, as they came and as they left, to a pcapng file with a comment on each; `-`: standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub pcap: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb logs`.
#[derive(Args, Clone, Debug)]
pub struct Logs {
    /// How important a message must be
    #[arg(long, value_enum, default_value_t = Level::Info)]
    pub level: Level,
    /// Client or service has this address, or one of this prefix
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = parse_net)]
    pub address: Option<IpNet>,
    /// The packet came by this interface; may be given several times
    #[arg(long, value_name = "IFACE")]
    pub interface: Vec<String>,
    /// Only of one packet in so many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: u32,
    /// End after so many seconds
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
    /// And broken ones, and services without servers
    Warn,
    /// And what passes that one might expect to be forwarded
    Info,
    /// And each step of each packet
    Debug,
    /// And the state that it met
    Trace,
}
