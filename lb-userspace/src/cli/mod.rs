//! The command line: its syntax only, not what commands do.
//!
//! ```text
//! instance        attach, agent, detach           packet   explain, replay
//! configuration   apply, confirm, check,          trace    trace, logs
//!                 transition
//! server          server                          host     doctor, dev
//! view            status, stats, connections,     global   options of every command
//!                 top, serve                      value    values that clap does not know
//! ```

use std::path::PathBuf;

use clap::{
    CommandFactory as _, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use clap_complete::Shell;

use crate::logging;

pub use self::{
    configuration::{Apply, Check, Confirm, Transition},
    global::{Format, Global, IfRunning},
    host::{Dev, Doctor},
    instance::{Agent, Attach, Capacity, Detach, Mode},
    packet::{Explain, Replay},
    server::{Server, ServerAdd, ServerDown, ServerName, ServerUp},
    trace::{Level, Logs, Trace, Which},
    value::{Listen, ParseEndpointError},
    view::{Connections, Field, Serve, Stats, Status, Top},
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
    long_version = concat!(env!("CARGO_PKG_VERSION"), "\n", env!("MODLB_DATAPATH")),
    arg_required_else_help = true,
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

impl Cli {
    /// The command line of this process. Where it is none, prints why, or the help, and ends the process.
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            hide(&mut error);
            error.exit()
        })
    }
}

/// Trap: clap lists hidden commands where one is missing.
fn hide(error: &mut clap::Error) {
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand) else { return };
    let hidden: Vec<_> = Cli::command()
        .get_subcommands()
        .filter(|command| command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    let shown = names.iter().filter(|name| !hidden.contains(name)).cloned().collect();
    error.insert(ContextKind::ValidSubcommand, ContextValue::Strings(shown));
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
    #[command(after_help = "\
Examples: stop balancing on eth1; on all interfaces, if there is anything to stop
  modlb detach eth1
  modlb detach --if-running")]
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
    /// Print a configuration that names the servers from before, so that no connection breaks when they change
    ///
    /// Prints NEW with `previous` lists: the servers that each service has in OLD, as far as they differ, and the lists
    /// that it has there already. Servers in role `keep` hand packets of older connections to the servers that hold
    /// them, by these lists. Changes nothing.
    #[command(after_help = "\
Example: change servers without breaking a connection: the list to come is announced to servers; servers get the file first, then
balancers; when the old connections are gone, the lists go
  modlb export > old.toml
  modlb transition --announce old.toml new.toml > soon.toml
  modlb apply soon.toml                            # on every server
  modlb transition old.toml new.toml > next.toml
  modlb apply next.toml                            # on every server, then on every balancer
  modlb status                                     # shows since when the transition lasts
  modlb transition --end next.toml > new.toml
  modlb apply new.toml                             # on every balancer, then on every server")]
    Transition(Transition),
    /// Print the configuration in force, in the form that `apply` reads
    #[command(after_help = "Example: keep a copy\n  modlb export > /var/backups/modlb.toml")]
    Export(Format),
    /// Change one server of a service
    #[command(
        subcommand,
        after_help = "\
Example: take a server out for maintenance; the other servers' flows do not move
  modlb server down web 10.0.0.11 --for 30m"
    )]
    Server(Server),
    /// Show the instance: its state, its interfaces and the tables of its services
    #[command(after_help = "\
Examples: the digest of this balancer; a check on another balancer that it agrees; whether it can take over
  modlb status --field digest
  modlb status --expect-digest 068183df64b08525
  modlb status --expect-attached")]
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
    /// On a server with role `keep` or `member`: count the connections held here, and the packets of others
    #[command(after_help = "\
Exit status with --wait: 0 no connection is left, 1 the time is over, 130 interrupted

Examples: what is held and handed on; stop a server that was taken down when nobody uses it any more
  modlb connections
  modlb connections web --wait --timeout 3600 && systemctl stop nginx")]
    Connections(Connections),
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
    Activate(IfRunning),
    /// Go on standby: stay attached and pass every packet untouched
    #[command(after_help = "\
Examples: let the other balancer work; the same in a script, where perhaps nothing runs
  modlb standby
  modlb standby --if-running")]
    Standby(IfRunning),
    /// Replace the running datapath with the one in this program, without losing a packet
    ///
    /// Also upgrades an instance that the version before made, with maps of another shape (ABI): configuration,
    /// counters, findings about servers, interfaces and standby are kept. If it is killed, the next one goes on.
    #[command(after_help = "Example: after installing a new version\n  modlb upgrade")]
    Upgrade(IfRunning),
    /// Find what is wrong with this host and how to fix it; changes nothing
    #[command(after_help = "\
Exit status: 0 all is well, 1 something failed, 3 there are warnings

Examples: the running instance; before the first `attach`; on a server
  modlb doctor
  modlb doctor --config /etc/modlb.toml
  modlb doctor --keep --config /etc/modlb.toml
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

impl Command {
    /// How a command logs that runs for long; `None`: it does not.
    pub const fn logging(&self) -> Option<logging::LogOptions> {
        if let Self::Agent(Agent { log, .. }) | Self::Serve(Serve { log, .. }) = self { Some(*log) } else { None }
    }
}
