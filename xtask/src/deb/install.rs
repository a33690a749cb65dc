//! Which file goes where.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use super::{
    control,
    sources::{directories, files, read},
    tree::{Mode, Tree},
};
use crate::process::{capture, root};

/// The agent's unit.
pub const UNIT: &str = "modlb-agent.service";

/// The same for further instances: `modlb-agent@blue` is instance `blue` by `/etc/modlb/blue.toml`.
pub const TEMPLATE: &str = "modlb-agent@.service";

const COMMAND: &str = "usr/sbin/modlb";
const UNITS: &str = "usr/lib/systemd/system";
const DOCUMENTS: &str = "usr/share/doc/modlb";
const SHARED: &str = "usr/share/modlb";

/// Directories of `scripts` whose files have places of their own.
const PLACED: [&str; 2] = ["systemd", "debian"];

/// Puts everything but what `DEBIAN` holds into the tree.
pub fn everything(tree: &Tree, modlb: &Path, version: &str) -> Result<()> {
    let command = tree.copy(COMMAND, Mode::Program, modlb)?;
    capture(Command::new("strip").args(["--strip-all", "--remove-section=.comment"]).arg(&command))?;
    tree.directory("etc/modlb")?;
    units(tree)?;
    manual(tree, modlb)?;
    completions(tree, modlb)?;
    scripts(tree)?;
    documents(tree, version)
}

fn units(tree: &Tree) -> Result<()> {
    let unit = read("scripts/systemd/modlb-agent.service")?;
    tree.file(&format!("{UNITS}/{UNIT}"), Mode::Data, &unit)?;
    tree.file(&format!("{UNITS}/{TEMPLATE}"), Mode::Data, template(&unit)).map(drop)
}

/// The unit for any instance: all else is as it is for the default one.
fn template(unit: &str) -> String {
    unit.replace("Description=modlb agent:", "Description=modlb agent %i:")
        .replace("/usr/sbin/modlb agent", "/usr/sbin/modlb --instance %i agent")
        .replace("/etc/modlb/modlb.", "/etc/modlb/%i.")
        // The default instance has the port that everybody knows.
        .replace("EnvironmentFile=", "Environment=OPTIONS=\"--listen none\"\nEnvironmentFile=")
}

fn manual(tree: &Tree, modlb: &Path) -> Result<()> {
    let pages = tree.root().with_extension("man");
    capture(Command::new(modlb).arg("man").arg(&pages))?;
    for page in files(&pages)? {
        tree.compressed(&format!("usr/share/man/man8/{}", name(&page)), fs::read(&page)?)?;
    }
    Ok(fs::remove_dir_all(pages)?)
}

fn completions(tree: &Tree, modlb: &Path) -> Result<()> {
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/modlb"),
        ("zsh", "usr/share/zsh/vendor-completions/_modlb"),
        ("fish", "usr/share/fish/vendor_completions.d/modlb.fish"),
    ] {
        tree.file(path, Mode::Data, capture(Command::new(modlb).args(["completions", shell]))?)?;
    }
    Ok(())
}

/// All else in `scripts`, by directory, whatever there is.
fn scripts(tree: &Tree) -> Result<()> {
    let scripts = root().join("scripts");
    for file in files(&scripts)? {
        tree.copy(&format!("{SHARED}/{}", name(&file)), Mode::of(&file)?, &file)?;
    }
    for directory in directories(&scripts)? {
        let below = name(&directory);
        if PLACED.contains(&below.as_str()) {
            continue;
        }
        for file in files(&directory)? {
            tree.copy(&format!("{SHARED}/{below}/{}", name(&file)), Mode::of(&file)?, &file)?;
        }
    }
    Ok(())
}

fn documents(tree: &Tree, version: &str) -> Result<()> {
    tree.copy(&format!("{DOCUMENTS}/examples/modlb.toml"), Mode::Data, &root().join("scripts/debian/modlb.toml"))?;
    tree.file(&format!("{DOCUMENTS}/copyright"), Mode::Data, control::copyright()?)?;
    tree.compressed(&format!("{DOCUMENTS}/changelog"), control::changelog(version)?)?;
    tree.compressed(&format!("{DOCUMENTS}/NEWS"), read("CHANGELOG.md")?)?;
    tree.copy(&format!("{DOCUMENTS}/README.md"), Mode::Data, &root().join("README.md"))?;
    for document in files(&root().join("docs"))? {
        tree.copy(&format!("{DOCUMENTS}/{}", name(&document)), Mode::Data, &document)?;
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_the_unit_for_another_instance() {
        let unit = read("scripts/systemd/modlb-agent.service").unwrap();
        let template = template(&unit);
        for line in [
            "ConditionPathExists=/etc/modlb/%i.toml",
            "EnvironmentFile=-/etc/modlb/%i.env",
            "ExecStart=/usr/sbin/modlb --instance %i agent --config /etc/modlb/%i.toml $OPTIONS",
        ] {
            assert!(template.lines().any(|found| found == line), "{line} is not in\n{template}");
        }
        let own =
            |one: &str, other: &str| other.lines().filter(|line| !one.lines().any(|known| known == *line)).count();
        assert_eq!((own(&template, &unit), own(&unit, &template)), (4, 5));
    }
}
