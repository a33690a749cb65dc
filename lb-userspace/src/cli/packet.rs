//! `modlb explain` and `replay`: what happens to packets, by the formula.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use lb_common::mac::Mac;

use super::global::Format;
use crate::decide::explain::Endpoint;

/// `modlb explain`.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// The client: ADDRESS, ADDRESS:PORT or [IPV6]:PORT
    #[arg(value_name = "SRC[:PORT]")]
    pub source: Endpoint,
    /// The packet's destination, in the same way
    #[arg(value_name = "DEST[:PORT]")]
    pub destination: Endpoint,
    /// The protocol: tcp, udp, sctp, dccp, udplite, icmp, icmpv6, esp, ah, gre or a number
    #[arg(short, long, default_value = "tcp")]
    pub protocol: String,
    /// Go by this configuration instead of the one in force; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// The capture, pcap or pcapng of Ethernet frames; `-`: standard input, then say --own-mac
    pub file: PathBuf,
    /// The configuration to go by; its servers need not be there; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Say what moves if this server goes down; may be given several times, each on its own
    #[arg(long, value_name = "SERVER")]
    pub down: Vec<IpAddr>,
    /// Say what moves if this configuration comes in force
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Judge in this process instead of in the kernel: the same answers, without root
    #[arg(long)]
    pub without_kernel: bool,
    /// The MACs whose frames are the balancer's; omitted: that to which most frames of services go
    #[arg(long, value_name = "MAC", value_delimiter = ',')]
    pub own_mac: Vec<Mac>,
    /// The balancer's addresses: no prefix service takes them, a server that has one is the balancer itself
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub own_address: Vec<IpAddr>,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}
