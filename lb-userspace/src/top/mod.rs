//! `modlb top`.
/// x
pub async fn run(_: &str, _: std::time::Duration) -> anyhow::Result<()> { Ok(()) }
