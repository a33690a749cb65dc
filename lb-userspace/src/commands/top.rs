//! `modlb top`.

use anyhow::Result;

use crate::{cli::Top, top};

pub async fn run(instance: &str, options: Top) -> Result<()> {
    top::run(instance, options.interval).await
}
