//! What dpkg reads of the package: `DEBIAN/`, and the two documents whose form Debian prescribes.

use std::{
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    sources::{epoch, files, read},
    tree::{Mode, Tree},
};
use crate::process::{capture, root};

/// Scripts that dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Bytes in the unit of `Installed-Size`.
const KIB: u64 = 1_024;

/// Writes `DEBIAN/`, when all else is in the tree.
pub fn write(tree: &Tree, version: &str, architecture: &str) -> Result<()> {
    let mut installed = Vec::new();
    walk(tree.root(), &mut installed)?;
    let control = read("scripts/debian/control")?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@MAINTAINER@", &maintainer())
        .replace("@SIZE@", &size(&installed)?.to_string())
        .replace("@DEPENDS@", &libraries(tree, architecture)?);
    let sums = sums(tree, &installed)?;
    tree.file("DEBIAN/control", Mode::Data, control)?;
    tree.file("DEBIAN/md5sums", Mode::Data, sums)?;
    for script in SCRIPTS {
        tree.copy(&format!("DEBIAN/{script}"), Mode::Program, &root().join("scripts/debian").join(script))?;
    }
    Ok(())
}

/// Debian's form of the licences.
pub fn copyright() -> Result<String> {
    let licence = read("LICENSE-MIT")?;
    let (_, terms) = licence.split_once("authors\n\n").context("LICENSE-MIT is not as it was")?;
    let terms: Vec<_> =
        terms.lines().map(|line| if line.is_empty() { " .".to_owned() } else { format!(" {line}") }).collect();
    Ok(read("scripts/debian/copyright")?.replace("@MIT@", &terms.join("\n")))
}

/// Debian's form of a change log; CHANGELOG.md says what changed.
pub fn changelog(version: &str) -> Result<String> {
    let date = capture(Command::new("date").args(["--utc", "--rfc-email", "--date", &format!("@{}", epoch()?)]))?;
    let (maintainer, date) = (maintainer(), date.trim());
    Ok(format!(
        "modlb ({version}) unstable; urgency=medium\n\n  * NEWS.gz says what changed.\n\n -- {maintainer}  {date}\n"
    ))
}

/// Whoever builds says so in the way of Debian's tools.
fn maintainer() -> String {
    let name = env::var("DEBFULLNAME").unwrap_or_else(|_| "The modlb authors".to_owned());
    let address = env::var("DEBEMAIL").unwrap_or_else(|_| "modlb@example.org".to_owned());
    format!("{name} <{address}>")
}

/// The packages with the libraries that the command is linked with.
fn libraries(tree: &Tree, architecture: &str) -> Result<String> {
    // It insists on a source package around it.
    let source = tree.root().with_extension("source");
    fs::create_dir_all(source.join("debian"))?;
    fs::write(
        source.join("debian/control"),
        format!("Source: modlb\n\nPackage: modlb\nArchitecture: {architecture}\n"),
    )?;
    let mut ask = Command::new("dpkg-shlibdeps");
    let answer = capture(ask.arg("-O").arg(tree.root().join("usr/sbin/modlb")).current_dir(&source))?;
    fs::remove_dir_all(source)?;
    let depends = answer.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(depends.context("dpkg-shlibdeps names no libraries")?.to_owned())
}

fn size(files: &[PathBuf]) -> Result<u64> {
    files.iter().map(|file| Ok(fs::metadata(file)?.size().div_ceil(KIB))).sum()
}

fn sums(tree: &Tree, files: &[PathBuf]) -> Result<String> {
    let mut md5sum = Command::new("md5sum");
    for file in files {
        md5sum.arg(file.strip_prefix(tree.root())?);
    }
    capture(md5sum.current_dir(tree.root()))
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    found.extend(files(directory)?);
    let mut below: Vec<_> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    below.retain(|path| path.is_dir());
    below.sort();
    below.iter().try_for_each(|directory| walk(directory, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    /// The maintainer script in a system that is a directory: dpkg names that in DPKG_ROOT.
    #[test]
    fn a_purge_leaves_what_the_package_did_not_make() {
        let system = std::env::temp_dir().join(format!("modlb-purge-{}", std::process::id()));
        let purge = || {
            let mut script = Command::new("sh");
            script.arg(root().join("scripts/debian/postrm")).arg("purge").env("DPKG_ROOT", &system);
            script.output().unwrap()
        };
        let fill = |files: &[&str]| {
            for file in files {
                let path = system.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "kept").unwrap();
            }
        };
        let own = [
            "run/modlb/default.agent",
            "run/modlb/default.agent.json",
            "run/modlb/blue.pending",
            "run/modlb/blue.waiter",
            "run/modlb/blue.new",
        ];
        let others =
            ["etc/modlb/modlb.toml", "etc/modlb/keys/tls.pem", "run/modlb/note", "run/modlb-server/.host/arp_ignore"];
        fill(&own);
        fill(&others);
        std::os::unix::fs::symlink(system.join(others[0]), system.join("run/modlb/link.agent")).unwrap();
        let output = purge();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(own.iter().all(|file| !system.join(file).exists()), "{said}");
        assert!(others.iter().all(|file| system.join(file).exists()), "{said}");
        assert!(said.contains("etc/modlb stays") && said.contains("run/modlb stays"), "{said}");
        // Where nobody left anything, nothing stays.
        fs::remove_dir_all(&system).unwrap();
        fill(&own);
        fs::create_dir_all(system.join("etc/modlb")).unwrap();
        let output = purge();
        assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("stays"), "{output:?}");
        assert!(!system.join("etc/modlb").exists() && !system.join("run/modlb").exists());
        fs::remove_dir_all(&system).unwrap();
    }
}
