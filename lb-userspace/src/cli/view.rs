//! `modlb status`, `stats`, `top` and `serve`: views of the running instance.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::{global::Format, value::parse_seconds};
use crate::{decide::slots::Digest, serve};

/// `modlb status`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Status {
    /// After printing, fail unless the digest is HEX; balancers with equal digests choose the same servers
    #[arg(long, value_name = "HEX")]
    pub expect_digest: Option<Digest>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
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
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: SocketAddr,
    /// Options of the listener.
    #[command(flatten)]
    pub listener: serve::Options,
}
