//! The commands, each in a thin file: parse, call, print.

use anyhow::Result;

use crate::cli::{Cli, Command, Dev, Server};

mod activity;
mod agent;
mod apply;
mod attach;
mod change;
mod check;
mod completions;
mod confirm;
mod connections;
mod detach;
mod dev;
mod doctor;
mod exit_status;
mod explain;
mod export;
mod if_running;
mod input;
mod logs;
mod man;
mod replay;
mod serve;
mod server;
mod stats;
mod status;
mod top;
mod trace;
mod transition;
mod upgrade;

pub use exit_status::ExitStatus;

/// Runs a command. Call it within a current-thread tokio runtime, in the instance's network namespace.
///
/// # Errors
///
/// The command failed and changed nothing. The message says why, and what helps.
pub async fn run(cli: Cli) -> Result<()> {
    let instance = cli.global.instance.as_str();
    match cli.command {
        Command::Agent(options) => agent::run(instance, options).await,
        Command::Attach(options) => attach::run(instance, &options).await,
        Command::Detach(options) => detach::run(instance, &options).await,
        Command::Apply(options) => apply::run(instance, &options).await,
        Command::Confirm(options) => confirm::run(instance, &options).await,
        Command::Check(options) => check::run(instance, &options),
        Command::Transition(options) => transition::run(&options),
        Command::Export(format) => export::run(instance, format).await,
        Command::Server(Server::Up(name)) => server::up(instance, &name).await,
        Command::Server(Server::Down(name)) => server::down(instance, &name).await,
        Command::Server(Server::Add(add)) => server::add(instance, &add).await,
        Command::Server(Server::Remove(name)) => server::remove(instance, &name).await,
        Command::Status(options) => status::status(instance, &options).await,
        Command::Services(format) => status::services(instance, format).await,
        Command::Servers(format) => status::servers(instance, format).await,
        Command::Stats(options) => stats::run(instance, &options).await,
        Command::Connections(options) => connections::run(instance, &options).await,
        Command::Top(options) => top::run(instance, options).await,
        Command::Serve(options) => serve::run(instance, &options).await,
        Command::Explain(options) => explain::run(instance, &options).await,
        Command::Replay(options) => replay::run(&options),
        Command::Trace(options) => trace::run(instance, &options).await,
        Command::Logs(options) => logs::run(instance, &options).await,
        Command::TraceGuard => crate::trace::watchdog::run(instance),
        Command::Activate(options) => activity::set(instance, false, options),
        Command::Standby(options) => activity::set(instance, true, options),
        Command::Upgrade(options) => upgrade::run(instance, options).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man { directory } => man::run(&directory),
        Command::Doctor(options) => doctor::run(&cli.global, &options).await,
        Command::Dev(Dev::Pass { interface, remove }) => dev::pass(&interface, remove).await,
    }
}
