//! `modlb explain` and `replay`: what the formula does with packets.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use lb_common::mac::Mac;

use super::{global::Format, value::protocol_help};
use crate::decide::explain::Endpoint;

/// `modlb explain`.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// The client: ADDRESS, ADDRESS:PORT or [IPV6]:PORT
    #[arg(value_name = "SRC[:PORT]")]
    pub source: Endpoint,
    /// The packet's destination, in the same form
    #[arg(value_name = "DEST[:PORT]")]
    pub destination: Endpoint,
    /// The protocol, by name or number.
    #[arg(short, long, default_value = "tcp", help = protocol_help(""))]
    pub protocol: String,
    /// The MAC that the frame comes from: what a peer sends is not balanced again
    #[arg(long, value_name = "MAC")]
    pub from: Option<Mac>,
    /// Use this configuration instead of the one in force; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// A pcap or pcapng capture of Ethernet frames; `-` reads standard input and needs --own-mac
    pub file: PathBuf,
    /// The configuration; its servers need not exist; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Show what moves if this server goes down; may be repeated, each time a separate change
    #[arg(long, value_name = "SERVER")]
    pub down: Vec<IpAddr>,
    /// Show what moves if this configuration is put in force
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Judge in this process instead of in the kernel: the same answers, without root
    #[arg(long)]
    pub without_kernel: bool,
    /// The balancer's MACs; default: the MAC to which most frames for services go
    #[arg(long, value_name = "MAC", value_delimiter = ',')]
    pub own_mac: Vec<Mac>,
    /// The balancer's addresses: no prefix service takes them, and a server with one of them is the balancer itself
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub own_address: Vec<IpAddr>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}
