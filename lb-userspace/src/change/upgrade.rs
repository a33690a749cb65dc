//! Upgrades an instance of the former ABI, for `upgrade` and the agent.

use anyhow::Result;

use super::rollback;
use crate::{
    datapath::{
        Datapath, Error,
        upgrade::{Upgradable, Upgrade},
    },
    net::Net,
};

/// Upgrades an instance of the former ABI. Returns a line for each thing that was done; `None`: it is of this version.
///
/// # Errors
///
/// A change waits to be confirmed, or the instance cannot be upgraded.
pub async fn upgrade(instance: &str, net: &Net) -> Result<Option<Vec<String>>> {
    if !matches!(Datapath::open(instance), Err(Error::Former(_))) {
        // Whatever else is wrong with it is for the caller to meet.
        return Ok(None);
    }
    // The process that waits for it knows only the former version.
    rollback::refuse(instance)?;
    match Upgrade::open(instance, net).await? {
        Upgradable::Current => Ok(None),
        Upgradable::Finished => Ok(Some(vec!["the upgrade that was interrupted is complete".to_owned()])),
        Upgradable::Former(upgrade) => upgrade.run(net).await.map(Some),
    }
}
