//! `modlb server`: one server of a service.

use std::{net::IpAddr, time::Duration};

use clap::{Args, Subcommand};
use lb_common::{
    limits::{MAX_SLOTS_PER_SERVICE, MAX_VLAN},
    mac::Mac,
};

use super::{
    global::Format,
    value::{parse_time, up_to},
};

/// `modlb server`.
#[derive(Clone, Debug, Subcommand)]
pub enum Server {
    /// Give a server its flows back
    #[command(after_help = "Example:\n  modlb server up web 10.0.0.11")]
    Up(ServerUp),
    /// Take a server's flows away; other servers' flows do not move
    ///
    /// It stays down until another configuration is put in force, by `apply`, `attach` or an agent whose file changes,
    /// or until `modlb server up`. With --for and --sticky configurations do not bring it back.
    #[command(after_help = "\
Examples: until the file changes; for half an hour; until `modlb server up`, whatever files say
  modlb server down web 10.0.0.11
  modlb server down web 10.0.0.11 --for 30m
  modlb server down web 10.0.0.11 --sticky")]
    Down(ServerDown),
    /// Add a server at the end of a service's list; unless the service is resilient, most flows move
    #[command(after_help = "Example:\n  modlb server add web 10.0.0.13 --mac 02:00:00:00:00:13 --weight 2")]
    Add(ServerAdd),
    /// Remove a server from a service; unless the service is resilient, most flows move
    #[command(after_help = "Example:\n  modlb server remove web 10.0.0.13")]
    Remove(ServerUp),
}

/// Which server.
#[derive(Args, Clone, Debug)]
pub struct ServerName {
    /// The service's name
    pub service: String,
    /// The server's address
    pub server: IpAddr,
    /// Print what would change without changing it
    #[arg(long)]
    pub dry_run: bool,
}

/// `modlb server up` and `remove`.
#[derive(Args, Clone, Debug)]
pub struct ServerUp {
    /// Which server.
    #[command(flatten)]
    pub name: ServerName,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb server down`.
#[derive(Args, Clone, Debug)]
pub struct ServerDown {
    /// Which server.
    #[command(flatten)]
    pub name: ServerName,
    /// Bring it back after this time, such as 90s, 30m or 2h: the agent does that, whatever its file says meanwhile
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time, conflicts_with = "sticky")]
    pub within: Option<Duration>,
    /// Keep it down until `modlb server up`, whatever configurations say
    #[arg(long)]
    pub sticky: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb server add`.
#[derive(Args, Clone, Debug)]
pub struct ServerAdd {
    /// Which server.
    #[command(flatten)]
    pub name: ServerName,
    /// Its MAC; default: resolved by ARP or neighbour discovery
    #[arg(long)]
    pub mac: Option<Mac>,
    /// The VLAN of the outer tag that its frames get, 0 for no tag; default: tags stay as they are
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_VLAN)))]
    pub vlan: Option<u16>,
    /// How many consecutive slots it takes
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = up_to(MAX_SLOTS_PER_SERVICE))]
    pub weight: u32,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}
