//! `modlb transition`.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::input;
use crate::{
    change::transition,
    cli::Transition,
    config::{file, model::PreviousServer},
    output::print_text,
};

pub fn run(options: &Transition) -> Result<()> {
    let Transition { old, new, announce, end } = options;
    match (old, new, end) {
        (.., Some(file)) => finish(file),
        (Some(old), Some(new), None) => start(old, new, *announce),
        // Clap demands them.
        (None, ..) | (_, None, _) => bail!("give two files, OLD and NEW, or `--end FILE`"),
    }
}

/// Prints NEW with the lists of OLD, or OLD with those of NEW.
fn start(old: &Path, new: &Path, announce: bool) -> Result<()> {
    let stdin = Path::new("-");
    ensure!(old != stdin || new != stdin, "OLD and NEW cannot both be standard input; name a file for one of them");
    let (before, after) = (input::read_with_text(old, None), input::read_with_text(new, None));
    let ((before, old_text), (after, new_text)) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(before), Err(after)) => bail!("{before}\n{after}"),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
    };
    let (lists, text, edited) = match announce {
        true => (transition::announced_lists(&before, &after), old_text, old),
        false => (transition::previous_lists(&before, &after), new_text, new),
    };
    if lists.iter().flatten().all(Vec::is_empty) {
        log::warn!(
            "no service of {} has other servers than in {}: {} is printed as it is",
            input::name(new),
            input::name(old),
            input::name(edited)
        );
    }
    print_with(&text, &lists, edited)
}

/// Prints a file without previous lists.
fn finish(path: &Path) -> Result<()> {
    let (config, text) = input::read_with_text(path, None)?;
    if config.services.iter().all(|service| service.previous.is_empty()) {
        log::warn!("no service of {} has previous lists: it is printed as it is", input::name(path));
    }
    print_with(&text, &vec![Some(Vec::new()); config.services.len()], path)
}

/// What is printed is a configuration, whose services have these lists.
fn print_with(text: &str, lists: &[Option<Vec<Vec<PreviousServer>>>], path: &Path) -> Result<()> {
    let edited = file::with_previous(text, lists);
    let name = input::name(path);
    let config = file::parse(&edited).with_context(|| format!("{name} cannot be edited"))?;
    let services = config.services.iter().zip(lists);
    for (service, lists) in services {
        let as_wanted = lists.as_ref().is_none_or(|lists| *lists == service.previous);
        ensure!(as_wanted, "{name} cannot be edited: write `previous` of service {} by hand", service.name);
    }
    Ok(print_text(edited.strip_suffix('\n').unwrap_or(&edited))?)
}
