//! `modlb man`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::Cli;

/// Administration tools and daemons.
const SECTION: &str = "8";

pub fn run(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let mut modlb = Cli::command().disable_help_subcommand(true);
    // Only then do options that apply to every command belong to each of them.
    modlb.build();
    write(&modlb, directory)
}

/// A page for a command, and one for each below it.
fn write(command: &Command, directory: &Path) -> Result<()> {
    let page = Man::new(command.clone())
        .section(SECTION)
        .source(concat!("modlb ", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    page.generate_to(directory).with_context(|| format!("writing a manual page into {}", directory.display()))?;
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|below| write(below, directory))
}
