//! Options of every command, and those of every command that reads.

use clap::{ArgAction, Args};

use super::value::parse_instance;

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Enter this network namespace first: a name from `ip netns`, a path (with a `/`), or `pid:NUMBER` for that of
    /// a process; mounts stay the same
    #[arg(short, long, global = true, value_name = "NAME|PATH")]
    pub netns: Option<String>,
    /// The instance to work with
    #[arg(long, global = true, value_name = "NAME", default_value = "default", value_parser = parse_instance)]
    pub instance: String,
    /// Print more detail; twice: even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What a command takes for success.
#[derive(Args, Clone, Copy, Debug)]
pub struct IfRunning {
    /// Succeed where no instance runs
    #[arg(long)]
    pub if_running: bool,
}

/// How a reading command prints its result.
#[derive(Args, Clone, Copy, Debug)]
pub struct Format {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
