//! Installs what is missing, says so before, and does nothing when nothing is.

mod packages;
mod toolchain;

use anyhow::Result;

pub use packages::Need;
pub use toolchain::Toolchain;

/// The toolchain for the datapath and the programs for all tasks.
pub fn everything() -> Result<()> {
    let toolchain = toolchain()?;
    programs(&[Need::Demo, Need::Test])?;
    if let Some(toolchain) = toolchain {
        toolchain::clippy(toolchain)?;
        println!("the toolchain for the datapath is {}; nothing is missing", toolchain.name());
    }
    Ok(())
}

/// The toolchain for the datapath; `None`: the user wants to do without (`AYA_BUILD_SKIP`).
pub fn toolchain() -> Result<Option<Toolchain>> {
    if datapath_is_skipped() {
        return Ok(None);
    }
    let toolchain = match toolchain::find() {
        Some(toolchain) => toolchain,
        None => toolchain::install()?,
    };
    Ok(Some(toolchain))
}

/// The same, ready for lints.
pub fn toolchain_with_clippy() -> Result<Option<Toolchain>> {
    let toolchain = toolchain()?;
    toolchain.map_or(Ok(()), toolchain::clippy)?;
    Ok(toolchain)
}

/// The programs that tasks run.
pub fn programs(needs: &[Need]) -> Result<()> {
    packages::install(needs)
}

/// Whether the datapath is left out.
pub fn datapath_is_skipped() -> bool {
    std::env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}
