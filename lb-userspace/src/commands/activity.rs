//! `modlb activate` and `modlb standby`: one compare-and-exchange, without waiting for the lock.

use anyhow::Result;

use super::if_running;
use crate::{
    cli::IfRunning,
    datapath::{Datapath, Error, Writer},
    output::print_text,
};

pub fn set(instance: &str, standby: bool, if_running: IfRunning) -> Result<()> {
    if_running::forgive(try_set(instance, standby), if_running)
}

fn try_set(instance: &str, standby: bool) -> Result<()> {
    let datapath = match Datapath::open(instance) {
        // It may be being upgraded right now, under the lock: a takeover must not fail for that.
        Err(Error::Former(_)) => return change(&*Writer::open(instance)?, standby),
        found => found?,
    };
    change(&datapath, standby)
}

fn change(datapath: &Datapath, standby: bool) -> Result<()> {
    let state = if standby { "standby" } else { "active" };
    if datapath.standby() == standby {
        return Ok(print_text(&format!("already {state}"))?);
    }
    datapath.set_standby(standby);
    Ok(print_text(state)?)
}
