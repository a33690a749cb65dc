//! The command line: what can be said, and nothing of what it does.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use lb_common::{
    limits::{MAX_SERVERS, MAX_SERVICES, MAX_SLOTS, MAX_SLOTS_PER_SERVICE, MAX_VLAN},
    mac::Mac,
};

use self::value::{parse_instance, parse_seconds, up_to};
pub use self::{
    trace::{Level, Logs, Trace, Which},
    value::{Endpoint, Listen, ParseEndpointError},
};
use crate::{config::model::Role, serve, slots::Digest};

#[cfg(test)]
mod tests;
mod trace;
mod value;

/// A stateless Layer-4 load balancer in the Linux kernel's XDP datapath.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "modlb",
    version,
    after_help = "\
Example: balance what arrives on eth0 as /etc/modlb.toml says, and watch it
  modlb attach eth0 --config /etc/modlb.toml
  modlb stats --watch 1"
)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What applies to every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Enter this network namespace first: a name of `ip netns`, or a path (with a `/`); file systems stay
    #[arg(short, long, global = true, value_name = "NAME|PATH")]
    pub netns: Option<String>,
    /// The instance to work with
    #[arg(long, global = true, value_name = "NAME", default_value = "default", value_parser = parse_instance)]
    pub instance: String,
    /// Say more of what is done; twice: even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands: nouns read, verbs change.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load the datapath and attach it, or replace a running one without losing a packet
    #[command(after_help = "\
Example: two interfaces, on standby at first
  modlb attach eth0 eth1 --config /etc/modlb.toml --standby")]
    Attach(Attach),
    /// Keep an instance as a configuration file says, and true to the network: MACs, interfaces, health checks
    #[command(after_help = "\
Example: as a service; it may be ended and started again without any effect on traffic
  modlb agent --config /etc/modlb.toml
  kill -HUP PID            # read the file again; a change of the file is noticed without")]
    Agent(Agent),
    /// Detach from the interfaces named, or from all
    #[command(after_help = "Example: leave eth1 alone from now on\n  modlb detach eth1")]
    Detach(Detach),
    /// Put a configuration in force, the whole of it at once
    #[command(after_help = "\
Example: see what would change, then change it
  modlb apply /etc/modlb.toml --dry-run
  modlb apply /etc/modlb.toml
Example: from afar; what was before comes back after a minute unless `modlb confirm` is said
  modlb apply /etc/modlb.toml --confirm 60")]
    Apply(Apply),
    /// Keep a change that `apply --confirm` made
    #[command(after_help = "\
Example: from afar, with a way back if it locks you out
  modlb apply /etc/modlb.toml --confirm 60
  modlb confirm")]
    Confirm(Confirm),
    /// Check a configuration and report every error in it; nothing is changed
    #[command(after_help = "Example: check what a program made\n  make-config | modlb check -")]
    Check(Check),
    /// Print the configuration in force, as `apply` takes it
    #[command(after_help = "Example: keep a copy\n  modlb export > /var/backups/modlb.toml")]
    Export(Format),
    /// Change one server of a service
    #[command(
        subcommand,
        after_help = "\
Example: take a server out for maintenance; the other servers' flows do not move
  modlb server down web 10.0.0.11"
    )]
    Server(Server),
    /// Show the instance: its state, its interfaces and the tables of its services
    #[command(after_help = "\
Examples: the digest of what is in force; on another balancer: does it agree?
  modlb status --json | jq -r .digest
  modlb status --expect-digest 068183df64b08525")]
    Status(Status),
    /// List the services
    #[command(after_help = "Example: names only\n  modlb services --json | jq -r '.[].name'")]
    Services(Format),
    /// List the servers of every service
    #[command(after_help = "\
Example: which servers take no flows, since when, and why?
  modlb servers --json | jq -r '.[] | select(.state != \"up\") | [.address, .state, .since, .reason] | @tsv'")]
    Servers(Format),
    /// Show the counters of every outcome, service and server
    #[command(after_help = "Example: totals and rates, twice a second\n  modlb stats --watch 0.5")]
    Stats(Stats),
    /// Watch rates of outcomes, services and servers in the terminal
    #[command(after_help = "\
Example: two readings a second; `?` lists the keys
  modlb top --interval 0.5")]
    Top(Top),
    /// Answer with Prometheus' metrics and a status page, until interrupted; needs no agent and changes nothing
    #[command(after_help = "\
Examples: look at http://127.0.0.1:9652/ in a browser; let Prometheus on another host scrape it
  modlb serve
  modlb serve --listen '[2001:db8::1]:9652' --allow-host gateway.example.net")]
    Serve(Serve),
    /// Say what happens to a packet, with the arithmetic
    #[command(after_help = "\
Examples: a TCP connection; IPv6; a protocol without ports, by a configuration that is not in force
  modlb explain 198.51.100.7:51234 203.0.113.10:443
  modlb explain '[2001:db8::7]:51234' '[2001:db8:f00::10]:443' --protocol udp
  modlb explain 192.0.2.1 203.0.113.10 --protocol esp --config new.toml")]
    Explain(Explain),
    /// Say what would have happened to the packets of a capture
    #[command(after_help = "\
Examples: how evenly a configuration spreads this traffic; what moves when a server goes down, or another file comes in force
  modlb replay traffic.pcapng --config /etc/modlb.toml
  modlb replay traffic.pcapng --config /etc/modlb.toml --down 10.0.0.12 --against new.toml --without-kernel")]
    Replay(Replay),
    /// Show what happens to which packet, while it happens
    #[command(after_help = "\
Examples: everything; what one client meets; what is dropped; a capture for Wireshark, live or in a file
  modlb trace
  modlb trace --address 198.51.100.7 --count 20
  modlb trace --outcome no_server,unreachable --seconds 10
  modlb trace --service web --sample 100 --pcap web.pcapng
  modlb trace --pcap - | tshark -r - -T fields -e frame.comment")]
    Trace(Trace),
    /// Show messages from within the datapath: what it found, step by step
    #[command(after_help = "\
Examples: what goes wrong; every step of one client's packets
  modlb logs
  modlb logs --level debug --address 198.51.100.7")]
    Logs(Logs),
    /// Put the ordinary programs back when standard input ends: what `trace` and `logs` start beside themselves
    #[command(hide = true, after_help = "Example: once\n  modlb trace-guard")]
    TraceGuard,
    /// End standby: forward from now on
    #[command(after_help = "Example: when keepalived makes this host the master\n  modlb activate")]
    Activate,
    /// Go on standby: stay attached and pass every packet untouched
    #[command(after_help = "Example: let the other balancer work\n  modlb standby")]
    Standby,
    /// Replace the running datapath by the one in this program, without losing a packet
    #[command(after_help = "Example: after a new version has been installed\n  modlb upgrade")]
    Upgrade,
    /// Look for what is wrong with this host, and say what mends it; nothing is changed
    #[command(after_help = "\
Exit status: 0 all is well, 1 something failed, 3 there are warnings

Examples: the running instance; before the first `attach`; on a server
  modlb doctor
  modlb doctor --config /etc/modlb.toml
  modlb doctor --server --service 203.0.113.10 --service 2001:db8:f00::10")]
    Doctor(Doctor),
    /// Print a script that completes this command line in a shell
    #[command(after_help = "\
Example: for bash, from the next login on
  modlb completions bash > /etc/bash_completion.d/modlb")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write manual pages, one for each command, into a directory
    #[command(hide = true, after_help = "Example:\n  modlb man target/man\n  man target/man/modlb-attach.8")]
    Man {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
    /// Helpers for tests and demonstrations
    #[command(
        subcommand,
        hide = true,
        after_help = "\
Example: let a veth accept what the program on its peer sends back
  modlb dev pass veth0"
    )]
    Dev(Dev),
}

/// How a reading command prints.
#[derive(Args, Clone, Copy, Debug)]
pub struct Format {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

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

/// `modlb attach`.
#[derive(Args, Clone, Debug)]
pub struct Attach {
    /// The interfaces; omitted: those that the configuration names
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// The configuration to put in force; `-`: standard input
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the program runs
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Of role `steer`: attach by clsact, as on kernels before 6.6, even where the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// What this host does with the formula; omitted: what the configuration says
    #[arg(long, value_enum)]
    pub role: Option<Role>,
    /// Pass every packet untouched until `modlb activate`
    #[arg(long)]
    pub standby: bool,
    /// Even if a service takes the SSH connection that this command came by
    #[arg(long)]
    pub force: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
}

/// `modlb agent`.
#[derive(Args, Clone, Debug)]
pub struct Agent {
    /// The configuration to keep the instance to; read again when it changes, and on SIGHUP
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Where metrics and the status page are; `none`: nowhere
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9652")]
    pub listen: Listen,
    /// Where programs run that it attaches
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// Of role `steer`: attach by clsact, as on kernels before 6.6, even where the kernel has TCX
    #[arg(long)]
    pub clsact: bool,
    /// An instance that it makes passes every packet untouched until `modlb activate`; one that runs is left as it is
    #[arg(long)]
    pub standby: bool,
    /// How much the instance can hold.
    #[command(flatten)]
    pub capacity: Capacity,
    /// How the listener answers.
    #[command(flatten)]
    pub serve: serve::Options,
}

/// How much an instance can hold: fixed when it is made.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Capacity, fixed when an instance is made")]
pub struct Capacity {
    /// The most services; 4,096 unless said
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SERVICES))]
    pub max_services: Option<u32>,
    /// The most slots, over all services; 262,144 unless said
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SLOTS))]
    pub max_slots: Option<u32>,
    /// The most server entries, over all services; 65,536 unless said, or what more than 170 CPUs can count
    #[arg(long, value_name = "N", value_parser = up_to(MAX_SERVERS))]
    pub max_servers: Option<u32>,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// In the driver if it can, else in the network stack
    #[default]
    Auto,
    /// In the driver
    Native,
    /// In the network stack: slower, but with every driver
    Generic,
}

/// `modlb detach`.
#[derive(Args, Clone, Debug)]
pub struct Detach {
    /// The interfaces; omitted: all
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
}

/// `modlb apply`.
#[derive(Args, Clone, Debug)]
pub struct Apply {
    /// The configuration; `-`: standard input
    pub file: PathBuf,
    /// Print what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go back to what was before after so many seconds, unless `modlb confirm` is said; also when this terminal is gone
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub confirm: Option<u32>,
    /// Even if a service takes the SSH connection that this command came by
    #[arg(long)]
    pub force: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb confirm`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Confirm {
    /// Go back to what was before at once
    #[arg(long)]
    pub undo: bool,
    /// Be the process that waits for the confirmation
    #[arg(long, hide = true, conflicts_with = "undo")]
    pub wait: bool,
}

/// `modlb check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration; `-`: standard input
    pub file: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb server`.
#[derive(Clone, Debug, Subcommand)]
pub enum Server {
    /// Give a server its flows back
    #[command(after_help = "Example:\n  modlb server up web 10.0.0.11")]
    Up(ServerName),
    /// Take a server's flows away; those of the other servers do not move
    #[command(after_help = "Example:\n  modlb server down web 10.0.0.11")]
    Down(ServerName),
    /// Add a server at the end of a service's list; unless the service is resilient, most flows move
    #[command(after_help = "Example:\n  modlb server add web 10.0.0.13 --mac 02:00:00:00:00:13 --weight 2")]
    Add(ServerAdd),
    /// Remove a server from a service; unless the service is resilient, most flows move
    #[command(after_help = "Example:\n  modlb server remove web 10.0.0.13")]
    Remove(ServerName),
}

/// Which server, and whether in earnest.
#[derive(Args, Clone, Debug)]
pub struct ServerName {
    /// The service's name
    pub service: String,
    /// The server's address
    pub server: IpAddr,
    /// Print what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `modlb server add`.
#[derive(Args, Clone, Debug)]
pub struct ServerAdd {
    /// Which server.
    #[command(flatten)]
    pub name: ServerName,
    /// Its MAC; omitted: resolved by ARP or neighbour discovery
    #[arg(long)]
    pub mac: Option<Mac>,
    /// The VLAN of the outer tag that its frames get, 0 for no tag; omitted: tags stay as they come
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_VLAN)))]
    pub vlan: Option<u16>,
    /// How many consecutive slots it stands for
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = up_to(MAX_SLOTS_PER_SERVICE))]
    pub weight: u32,
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
