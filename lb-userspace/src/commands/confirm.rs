//! `modlb confirm`, and the process that waits for it.

use anyhow::{Context as _, Result, bail};

use super::change::show;
use crate::{change::rollback, cli::Confirm, datapath::Writer, output::print_text};

pub async fn run(instance: &str, options: &Confirm) -> Result<()> {
    if options.wait {
        return rollback::wait(instance).await;
    }
    let mut writer = Writer::open(instance)?;
    let Some(found) = rollback::find(instance)? else {
        bail!(
            "there is nothing to confirm: no change of instance {instance} is waiting for it; it may have been rolled back \
             already, `modlb export` prints what is in force"
        );
    };
    if options.undo {
        let pending = found.record.context(if found.waiting {
            "the change is rolled back when its time is over, not earlier: its record cannot be read by this command"
        } else {
            "what to go back to is not known; apply the former configuration, and then `modlb confirm`"
        })?;
        let change = rollback::roll_back(&mut writer, &pending).await?;
        show(&change.plan, &change.moved, false)?;
        rollback::settle(&writer, instance)?;
        return Ok(print_text("rolled back")?);
    }
    rollback::settle(&writer, instance)?;
    Ok(print_text("confirmed")?)
}
