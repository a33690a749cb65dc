//! Debian's packages of kernels.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    process::{self, capture},
    setup,
};

/// A kernel package, unpacked.
pub struct Kernel {
    /// What `uname -r` says.
    pub release: String,
    directory: PathBuf,
}

impl Kernel {
    /// The one that was fetched before, or the newest.
    pub fn fetch(version: &str, work: &Path) -> Result<Self> {
        let directory = work.join("kernel");
        if let Ok(kernel) = Self::at(directory.clone()) {
            return Ok(kernel);
        }
        // It gets its name when it is whole: what was interrupted is fetched anew.
        let new = work.join("new");
        let _ = fs::remove_dir_all(&new);
        fs::create_dir_all(&new)?;
        let archive = download(version, &new)?;
        process::run(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(new.join("kernel")))?;
        let _ = fs::remove_dir_all(&directory);
        fs::rename(new.join("kernel"), &directory)?;
        fs::remove_dir_all(new)?;
        Self::at(directory)
    }

    fn at(directory: PathBuf) -> Result<Self> {
        let mut names =
            fs::read_dir(directory.join("boot"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let release = names.find_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned));
        Ok(Self { release: release.context("no kernel in the package")?, directory })
    }

    /// What boots.
    pub fn image(&self) -> PathBuf {
        self.directory.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// One of its modules, such as `drivers/net/veth`.
    pub fn module(&self, name: &str) -> Result<PathBuf> {
        // From Debian 13 on, packages know no `/lib`.
        let mut roots = ["lib", "usr/lib"].map(|root| self.directory.join(root).join("modules")).into_iter();
        let modules = roots.find(|modules| modules.is_dir()).context("the package has no modules")?;
        let path = modules.join(&self.release).join("kernel").join(format!("{name}.ko"));
        // Newer kernels' are packed.
        let packed = path.with_extension("ko.xz");
        if packed.is_file() {
            process::run(Command::new("xz").arg("--decompress").arg(packed))?;
        }
        ensure!(path.is_file(), "the kernel has no module {name}.ko");
        Ok(path)
    }
}

/// Downloads the newest package of a version into an empty directory.
///
/// A machine may have no lists of packages yet, or old ones, which name what is no longer there.
fn download(version: &str, to: &Path) -> Result<PathBuf> {
    if let Ok(archive) = download_as_listed(version, to) {
        return Ok(archive);
    }
    setup::package_lists()?;
    download_as_listed(version, to)
}

fn download_as_listed(version: &str, to: &Path) -> Result<PathBuf> {
    let package = newest(version)?;
    println!("fetching {package}");
    process::run(Command::new("apt-get").args(["--quiet", "download", &package]).current_dir(to))?;
    let mut paths = fs::read_dir(to)?.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = paths.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    archive.context("the package was not downloaded")
}

/// The newest package of a version, such as 6.1, or 6.1-rt for PREEMPT_RT. Those for other releases have that in their
/// names: `6.12.9+bpo`, `6.5.0-0.deb12.4`.
fn newest(version: &str) -> Result<String> {
    let (number, variant) = version.strip_suffix("-rt").map_or((version, ""), |number| (number, "rt-"));
    let pattern = format!("^linux-image-{}\\.([0-9.+-]|bpo|deb)+-{variant}amd64$", number.replace('.', "\\."));
    let found = capture(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split_whitespace().next());
    let numbers = |name: &str| -> Vec<u32> {
        name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    let newest = names.max_by_key(|name| numbers(name));
    newest.map(str::to_owned).with_context(|| {
        format!(
            "no package list here has a kernel {version}; `apt-cache search linux-image` shows those it has, and \
             docs/KERNELS.md says how to add another release's"
        )
    })
}
