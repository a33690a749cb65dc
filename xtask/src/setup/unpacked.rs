//! Programs whose packages would push others out: unpacked in the build directory and run there; nothing is installed.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::packages;
use crate::process::{root, run, unpacked_programs};

/// Unpacks a package and what it depends on beyond what is installed, and makes a script that starts its program.
///
/// # Errors
///
/// A package cannot be had; the program cannot run that way.
pub fn unpack(package: &str, program: &str) -> Result<()> {
    let directory = root().join("target/unpacked").join(package);
    let archives = directory.join("archives");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&archives)?;
    let wanted = packages::simulate(&[package])?.archives;
    run(Command::new("apt-get").args(["--quiet", "--quiet", "download"]).args(wanted).current_dir(&archives))?;
    let tree = directory.join("root");
    for archive in fs::read_dir(&archives)? {
        run(Command::new("dpkg-deb").arg("--extract").arg(archive?.path()).arg(&tree))?;
    }
    fs::remove_dir_all(archives)?;
    let script = unpacked_programs().join(program);
    fs::create_dir_all(unpacked_programs())?;
    fs::write(&script, starter(&tree, program))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    run(Command::new(&script).arg("--version")).with_context(|| format!("{program} does not run unpacked"))
}

/// Libraries are where Debian keeps them, under `/lib` or `/usr/lib`.
fn starter(tree: &Path, program: &str) -> String {
    let tree = tree.display();
    format!(
        "#!/bin/sh\n\
         libraries=$(echo '{tree}'/lib/*-linux-gnu '{tree}'/usr/lib/*-linux-gnu | tr ' ' :)\n\
         LD_LIBRARY_PATH=\"$libraries\" exec '{tree}/usr/bin/{program}' \"$@\"\n"
    )
}
