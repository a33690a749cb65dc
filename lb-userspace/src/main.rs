//! The command `modlb`: parses, runs, prints errors, and sets the exit status.

use std::process::ExitCode;

use anyhow::Result;
use lb_userspace::{
    cli::{Cli, Command},
    commands, logging,
    net::namespaces,
    output::{error_text, print_error},
};
use log::LevelFilter;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    // An agent logs more, as its log is all that operators see of it.
    let agent = matches!(cli.command, Command::Agent(_));
    init_log(cli.global.verbose.saturating_add(agent.into()), cli.command.logging());
    let result = run(cli);
    log::logger().flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref() {
            Some(commands::ExitStatus(status)) => ExitCode::from(*status),
            None => {
                print_error(&format!("error: {}", error_text(&error)));
                ExitCode::FAILURE
            }
        },
    }
}

fn run(cli: Cli) -> Result<()> {
    // Before the runtime and everything else that is opened in a network namespace.
    if let Some(netns) = &cli.global.netns {
        namespaces::enter(netns)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(commands::run(cli));
    // A file system that does not answer keeps no command from ending.
    runtime.shutdown_background();
    result
}

fn init_log(verbose: u8, long: Option<logging::LogOptions>) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    logging::init(level, long);
}
