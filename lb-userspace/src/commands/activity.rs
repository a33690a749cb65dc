//! `modlb activate` and `modlb standby`: one compare-and-exchange, without waiting for the lock.

use anyhow::Result;

use crate::{datapath::Datapath, output::print_text};

pub fn set(instance: &str, standby: bool) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    let state = if standby { "standby" } else { "active" };
    if datapath.standby() == standby {
        return Ok(print_text(&format!("already {state}"))?);
    }
    datapath.set_standby(standby);
    Ok(print_text(state)?)
}
