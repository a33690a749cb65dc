//! Brings an instance to a configuration and interfaces, for `attach` and the agent.
//!
//! ```text
//! options   what is asked for, and the result      goal     the steps
//! refuse    what cannot be                         report   lines to print
//! ```

use anyhow::Result;

use super::{mend, steps::Steps};
use crate::{
    config::model::Config,
    datapath::Writer,
    net::{Interface, Net},
};

mod goal;
mod options;
mod refuse;
mod report;

pub use options::{AttachOptions, Prefetched, Reconciled};

use self::goal::Goal;

/// Brings an instance to a configuration (`None`: keeps its own), and attaches it to these interfaces in addition to
/// those that it has. If this fails, the steps made so far are undone, and the caller abandons the writer.
///
/// # Errors
///
/// What is asked for cannot be, or the command was interrupted.
pub async fn reconcile(
    writer: &mut Writer,
    net: &Net,
    options: AttachOptions,
    config: Option<Config>,
    interfaces: Vec<Interface>,
    prefetched: Option<Prefetched>,
) -> Result<Reconciled> {
    let mended = mend::interfaces(writer, net).await?;
    mended.problems.iter().for_each(|problem| log::warn!("{problem}"));
    let mut steps = Steps::new(options.interrupt.clone());
    let goal = Goal::new(writer, net, &options, config, interfaces).await?;
    match goal.reach(&mut steps, writer, net, &options, prefetched).await {
        Ok(mut reconciled) => {
            reconciled.lines.splice(0..0, mended.lines);
            Ok(reconciled)
        }
        Err(error) => {
            if !writer.is_new() {
                steps.undo(writer);
            }
            Err(error)
        }
    }
}
