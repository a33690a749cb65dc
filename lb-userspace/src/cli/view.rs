//! `modlb status`, `stats`, `top` and `serve`: the running instance, to look at.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::{global::Format, value::parse_seconds};
use crate::{decide::slots::Digest, serve};

/// `modlb status`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Status {
    /// Fail, after printing, unless this is the digest: that of a balancer that sends every packet to the same server
    #[arg(long, value_name = "HEX")]
    pub expect_digest: Option<Digest>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb stats`.
#[derive(Args, Clone, Debug)]
pub struct Stats {
    /// Print again every so many seconds, with rates
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub watch: Option<Duration>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb top`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Top {
    /// How often to read the counters
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    pub interval: Duration,
}

/// `modlb serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: SocketAddr,
    /// How to answer.
    #[command(flatten)]
    pub listener: serve::Options,
}
