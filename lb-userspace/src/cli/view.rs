//! `modlb status`, `stats`, `connections`, `top` and `serve`: views of the running instance.

use std::{net::IpAddr, time::Duration};

use clap::{Args, ValueEnum};

use super::{global::Format, value::parse_seconds};
use crate::{decide::slots::Digest, logging, serve};

/// `modlb status`.
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// After printing, fail unless the digest is HEX; balancers with equal digests choose the same servers
    #[arg(long, value_name = "HEX")]
    pub expect_digest: Option<Digest>,
    /// After printing, fail unless the instance is attached, and to every interface that it was attached to
    #[arg(long)]
    pub expect_attached: bool,
    /// After printing, fail unless this host is the server ADDRESS of a service (roles `member` and `keep`)
    #[arg(long, value_name = "ADDRESS")]
    pub expect_self: Option<IpAddr>,
    /// Print only this, for scripts: plain text, one value on each line
    #[arg(long, value_enum, conflicts_with = "json")]
    pub field: Option<Field>,
    /// With `--field digest`: that of one service's table
    #[arg(long, value_name = "NAME", requires = "field")]
    pub service: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// One thing that `modlb status` knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Field {
    /// The digest
    Digest,
    /// `active` or `standby`
    State,
    /// `balancer`, `member`, `steer` or `keep`
    Role,
    /// The servers that this host is, in roles `member` and `keep`
    #[value(name = "self")]
    Own,
    /// The names of the interfaces
    Interfaces,
}

/// `modlb stats`.
#[derive(Args, Clone, Debug)]
pub struct Stats {
    /// Print again every SECONDS, with rates
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub watch: Option<Duration>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb connections`.
#[derive(Args, Clone, Debug)]
pub struct Connections {
    /// Only these services; default: all that take TCP
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Measure rates for SECONDS
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds, conflicts_with_all = ["watch", "wait"])]
    pub interval: Duration,
    /// Print again every SECONDS
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, conflicts_with = "wait")]
    pub watch: Option<Duration>,
    /// Wait until no connection is left here, and print how many are whenever that changes
    #[arg(long)]
    pub wait: bool,
    /// With --wait: fail after SECONDS
    #[arg(long, value_name = "SECONDS", requires = "wait", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb top`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Top {
    /// Read the counters every SECONDS
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    pub interval: Duration,
}

/// `modlb serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where to listen: an address and port, or `unix:FILE`, a socket for root alone
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: serve::Endpoint,
    /// Options of the listener.
    #[command(flatten)]
    pub listener: serve::Options,
    /// How it logs.
    #[command(flatten)]
    pub log: logging::LogOptions,
}
