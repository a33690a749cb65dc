//! `modlb man`.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use crate::cli::Cli;

/// The section for administration tools and daemons.
const SECTION: &str = "8";

pub fn run(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let mut modlb = Cli::command().disable_help_subcommand(true);
    // Adds global options to each command.
    modlb.build();
    write(&modlb, None, directory)
}

/// Writes a page for a command and each of its subcommands.
fn write(command: &Command, above: Option<&str>, directory: &Path) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.{SECTION}"));
    let page = render(command, above).and_then(|page| fs::write(&path, page));
    page.with_context(|| format!("writing {}", path.display()))?;
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    below.into_iter().try_for_each(|command| write(command, Some(name), directory))
}

fn render(command: &Command, above: Option<&str>) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .section(SECTION)
        .source(concat!("modlb ", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = command.get_after_help() {
        // Commands to copy, so lines are not filled.
        let mut section = Roff::new();
        section.control("SH", ["EXAMPLES"]).control("nf", []).text([roman(examples.to_string())]).control("fi", []);
        section.to_writer(&mut page)?;
    }
    if let Some(above) = above {
        Roff::new()
            .control("SH", ["SEE ALSO"])
            .text([bold(above), roman(format!("({SECTION})"))])
            .to_writer(&mut page)?;
    }
    Ok(page)
}
