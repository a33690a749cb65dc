//! `modlb completions`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{cli::Cli, output::print_text};

pub fn run(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "modlb", &mut script);
    Ok(print_text(&String::from_utf8(script)?)?)
}
