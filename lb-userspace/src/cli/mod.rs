//! The command line: its syntax only, not what commands do.
//!
//! ```text
//! instance        attach, agent, detach           packet   explain, replay
//! configuration   apply, confirm, check           trace    trace, logs
//! server          server                          host     doctor, dev
//! view            status, stats, top, serve       global   options of every command
//! value           values that clap does not know
//! ```

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use self::{
    configuration::{Apply, Check, Confirm},
    global::{Format, Global},
    host::{Dev, Doctor},
    instance::{Agent, Attach, Capacity, Detach, Mode},
    packet::{Explain, Replay},
    server::{Server, ServerAdd, ServerName},
    trace::{Level, Logs, Trace, Which},
    value::{Listen, ParseEndpointError},
    view::{Serve, Stats, Status, Top},
};

mod configuration;
mod global;
mod host;
mod instance;
mod packet;
mod server;
#[cfg(test)]
mod tests;
mod trace;
mod value;
mod view;

/// A stateless Layer-4 load balancer in the Linux kernel's XDP datapath.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "modlb",
    version,
    after_help = "\
Example: balance traffic that arrives on eth0 by /etc/modlb.toml, and watch it
  modlb attach eth0 --config /etc/modlb.toml
  modlb stats --watch 1"
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands: nouns read, verbs change.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load the datapath and attach it, or replace a running one without losing a packet
    #[command(after_help = "\
Example: two interfaces, on standby at first
  modlb attach eth0 eth1 --config /etc/modlb.toml --standby")]
    Attach(Attach),
    /// Keep an instance as a file describes it and in step with the network: MACs, interfaces, health checks
    #[command(after_help = "\
Example: run it as a service; stopping or restarting it does not affect traffic
  modlb agent --config /etc/modlb.toml
  kill -HUP PID            # read the file again; the agent also notices changes of the file")]
    Agent(Agent),
    /// Detach from the given interfaces, or from all
    #[command(after_help = "Example: stop balancing on eth1\n  modlb detach eth1")]
    Detach(Detach),
    /// Put a configuration in force, all of it at once
    #[command(after_help = "\
Example: see what would change, then change it
  modlb apply /etc/modlb.toml --dry-run
  modlb apply /etc/modlb.toml
Example: a remote change that is rolled back after a minute unless `modlb confirm` follows
  modlb apply /etc/modlb.toml --confirm 60")]
    Apply(Apply),
    /// Keep a change that `apply --confirm` made
    #[command(after_help = "\
Example: a remote change that is undone if it locks you out
  modlb apply /etc/modlb.toml --confirm 60
  modlb confirm")]
    Confirm(Confirm),
    /// Check a configuration and report every error in it; changes nothing
    #[command(after_help = "Example: check a generated configuration\n  make-config | modlb check -")]
    Check(Check),
    /// Print the configuration in force, in the form that `apply` reads
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
Examples: the digest of this balancer; a check on another balancer that it agrees
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
    /// Serve Prometheus metrics and a status page until interrupted; needs no agent and changes nothing
    #[command(after_help = "\
Examples: open http://127.0.0.1:9652/ in a browser; let Prometheus on another host scrape it
  modlb serve
  modlb serve --listen '[2001:db8::1]:9652' --allow-host gateway.example.net")]
    Serve(Serve),
    /// Show what happens to a packet, with the arithmetic
    #[command(after_help = "\
Examples: a TCP connection; IPv6; a protocol without ports, by a configuration that is not in force
  modlb explain 198.51.100.7:51234 203.0.113.10:443
  modlb explain '[2001:db8::7]:51234' '[2001:db8:f00::10]:443' --protocol udp
  modlb explain 192.0.2.1 203.0.113.10 --protocol esp --config new.toml")]
    Explain(Explain),
    /// Show what would have happened to the packets of a capture
    #[command(after_help = "\
Examples: how evenly a configuration spreads this traffic; what moves when a server goes down, or another file is put in force
  modlb replay traffic.pcapng --config /etc/modlb.toml
  modlb replay traffic.pcapng --config /etc/modlb.toml --down 10.0.0.12 --against new.toml --without-kernel")]
    Replay(Replay),
    /// Show what happens to each packet as it happens
    #[command(after_help = "\
Examples: everything; one client's packets; dropped packets; a capture for Wireshark, in a file or live
  modlb trace
  modlb trace --address 198.51.100.7 --count 20
  modlb trace --outcome no_server,unreachable --seconds 10
  modlb trace --service web --sample 100 --pcap web.pcapng
  modlb trace --pcap - | tshark -r - -T fields -e frame.comment")]
    Trace(Trace),
    /// Show the datapath's own messages, step by step
    #[command(after_help = "\
Examples: problems; every step of one client's packets
  modlb logs
  modlb logs --level debug --address 198.51.100.7")]
    Logs(Logs),
    /// Put the regular programs back when standard input ends; `trace` and `logs` start this as their watchdog
    #[command(hide = true, after_help = "Example: once\n  modlb trace-guard")]
    TraceGuard,
    /// End standby: forward from now on
    #[command(after_help = "Example: when keepalived makes this host the master\n  modlb activate")]
    Activate,
    /// Go on standby: stay attached and pass every packet untouched
    #[command(after_help = "Example: let the other balancer work\n  modlb standby")]
    Standby,
    /// Replace the running datapath with the one in this program, without losing a packet
    #[command(after_help = "Example: after installing a new version\n  modlb upgrade")]
    Upgrade,
    /// Find what is wrong with this host and how to fix it; changes nothing
    #[command(after_help = "\
Exit status: 0 all is well, 1 something failed, 3 there are warnings

Examples: the running instance; before the first `attach`; on a server
  modlb doctor
  modlb doctor --config /etc/modlb.toml
  modlb doctor --server --service 203.0.113.10 --service 2001:db8:f00::10")]
    Doctor(Doctor),
    /// Print a completion script for a shell
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
        /// The directory; created if missing
        directory: PathBuf,
    },
    /// Helpers for tests and demonstrations
    #[command(
        subcommand,
        hide = true,
        after_help = "\
Example: let a veth accept frames that the program on its peer sends back
  modlb dev pass veth0"
    )]
    Dev(Dev),
}
