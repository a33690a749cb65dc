//! The command `modlb`: parses, runs, prints errors, and sets the exit status.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use lb_userspace::{
    cli::{Cli, Command},
    commands,
    net::namespaces,
    output::{error_text, print_error},
};
use log::LevelFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // An agent logs more, as its log is all that operators see of it.
    let agent = matches!(cli.command, Command::Agent(_));
    init_log(cli.global.verbose.saturating_add(agent.into()));
    match run(cli) {
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
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(commands::run(cli))
}

fn init_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format(|out, record| {
            use std::io::Write as _;
            writeln!(out, "{}: {}", record.level().as_str().to_lowercase(), record.args())
        })
        .init();
}
