//! `--if-running`: commands whose purpose is reached where no instance runs.

use anyhow::{Result, anyhow};

use crate::{cli::IfRunning, datapath::Error, output::print_text};

/// Takes it for success that no instance runs, if that is what the caller wants.
pub fn forgive(result: Result<()>, IfRunning { if_running }: IfRunning) -> Result<()> {
    match result {
        Err(error) => match error.downcast_ref() {
            Some(Error::NotRunning(instance)) if if_running => {
                Ok(print_text(&format!("no instance {instance} is running; there is nothing to do"))?)
            }
            Some(Error::NotRunning(_)) => Err(anyhow!("{error}; with `--if-running` that is no error")),
            _ => Err(error),
        },
        done => done,
    }
}
