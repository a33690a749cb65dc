//! `modlb activate` and `modlb standby`.

use anyhow::Result;

use crate::{datapath::Writer, output::print_text};

pub fn set(instance: &str, standby: bool) -> Result<()> {
    let mut writer = Writer::open(instance)?;
    let state = if standby { "standby" } else { "active" };
    if writer.standby() == standby {
        return Ok(print_text(&format!("already {state}"))?);
    }
    writer.set_standby(standby);
    Ok(print_text(state)?)
}
