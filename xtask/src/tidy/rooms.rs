//! The rooms of `lb-userspace`: who may import whom.

use std::cmp::Ordering;

use super::{
    fault::Fault,
    imports::{Import, Target},
    tree::Tree,
};

/// The picture, from top to bottom. A room imports what is below it; those of one line do not know each other.
const HOUSE: Rooms = Rooms {
    directory: "lb-userspace/src",
    lines: &[
        &["main"],
        &["lib"],
        &["commands"],
        &["cli"],
        &["agent"],
        &["logging"],
        &["serve", "top"],
        &["observe"],
        &["output"],
        &["trace", "doctor", "replay", "change"],
        &["datapath"],
        &["decide"],
        &["config", "net"],
    ],
    files: &["main", "lib"],
    never: &[],
};

/// The same within the datapath.
const DATAPATH: Rooms = Rooms {
    directory: "lb-userspace/src/datapath",
    lines: &[
        &["mod"],
        &["tracing", "trial", "upgrade"],
        &["publish"],
        &["lifecycle"],
        &["attach"],
        &["layout", "former"],
        &["store"],
        &["sys"],
        &["place"],
        &["capacities"],
        &["error", "kill_point"],
    ],
    files: &[
        "mod",
        "tracing",
        "trial",
        "upgrade",
        "publish",
        "lifecycle",
        "sys",
        "place",
        "capacities",
        "error",
        "kill_point",
    ],
    // It is pure: the same configuration gives the same bytes.
    never: &[("layout", "sys")],
};

/// What is in a directory: folders and files without their ends.
struct Rooms {
    directory: &'static str,
    lines: &'static [&'static [&'static str]],
    /// Rooms that may be one file.
    files: &'static [&'static str],
    /// Arrows that point down and yet must not be.
    never: &'static [(&'static str, &'static str)],
}

/// Arrows that point up, and what has no place.
pub fn check(tree: &Tree, targets: &[Target]) -> Vec<Fault> {
    let mut faults: Vec<_> = [HOUSE, DATAPATH].iter().flat_map(|rooms| rooms.check(tree, targets)).collect();
    faults.sort();
    faults.dedup();
    faults
}

impl Rooms {
    fn check(&self, tree: &Tree, targets: &[Target]) -> Vec<Fault> {
        let strays = tree.names().filter_map(|name| self.stray(name));
        // Tests may use everything, and have no room.
        let imports = targets.iter().flat_map(|target| target.imports.values());
        strays.chain(imports.filter_map(|import| self.arrow(import))).collect()
    }

    /// The room of a file, and whether it is a file.
    fn room<'a>(&self, file: &'a str) -> Option<(&'a str, bool)> {
        let path = file.strip_prefix(self.directory)?.strip_prefix('/')?;
        match path.split_once('/') {
            Some((folder, _)) => Some((folder, false)),
            None => Some((path.strip_suffix(".rs")?, true)),
        }
    }

    fn line(&self, room: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.contains(&room))
    }

    fn stray(&self, file: &str) -> Option<Fault> {
        let (room, is_file) = self.room(file)?;
        let way_out = match self.line(room) {
            None => format!(
                "{} has no room `{room}`; move this into one that it has, or give it a line in xtask/src/tidy/rooms.rs",
                self.directory
            ),
            Some(_) if is_file && !self.files.contains(&room) => {
                format!("no loose files in {}; move this to {room}/mod.rs", self.directory)
            }
            Some(_) => return None,
        };
        Some(Fault::new(file, 1, way_out))
    }

    fn arrow(&self, import: &Import) -> Option<Fault> {
        let ((from, _), (to, _)) = (self.room(&import.from)?, self.room(&import.to)?);
        let (upper, lower) = (self.line(from)?, self.line(to)?);
        let relation = match upper.cmp(&lower) {
            _ if from == to => return None,
            _ if self.never.contains(&(from, to)) => "never for",
            Ordering::Less => return None,
            Ordering::Equal => "beside",
            Ordering::Greater => "above",
        };
        Some(Fault::new(
            &import.from,
            import.line,
            format!(
                "`{from}` imports {}, but `{to}` is {relation} it in xtask/src/tidy/rooms.rs; \
                 move what both need below them, or let a room above hand it over",
                import.path
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::imports::{Sources, targets};

    const MANIFEST: (&str, &str) = ("lb-userspace/Cargo.toml", "[package]\nname = \"lb-userspace\"");
    const LIB: (&str, &str) = (
        "lb-userspace/src/lib.rs",
        "pub mod cli; pub mod commands; pub mod config; pub mod datapath; pub mod doctor; pub mod net; pub mod trace;",
    );

    fn faults(file: &str, text: &str) -> Vec<String> {
        let mut files = vec![
            MANIFEST,
            LIB,
            ("lb-userspace/src/main.rs", "use lb_userspace::{cli::Cli, commands};"),
            ("lb-userspace/src/cli/mod.rs", "use crate::config::x;"),
            ("lb-userspace/src/commands/mod.rs", "use crate::{cli::Cli, doctor::y};"),
            ("lb-userspace/src/config/mod.rs", ""),
            (
                "lb-userspace/src/datapath/mod.rs",
                "pub mod attach; pub mod error; pub mod layout; pub mod store; mod sys;",
            ),
            ("lb-userspace/src/datapath/attach/mod.rs", "use super::{layout::x, store::records::z, sys::y};"),
            ("lb-userspace/src/datapath/error.rs", ""),
            ("lb-userspace/src/datapath/layout/mod.rs", "use crate::{config::x, datapath::store::y};"),
            ("lb-userspace/src/datapath/store/mod.rs", "use super::sys::mount;"),
            ("lb-userspace/src/datapath/sys.rs", "use super::error::Error;"),
            ("lb-userspace/src/doctor/mod.rs", "use crate::datapath::attach::z;"),
            ("lb-userspace/src/net/mod.rs", ""),
            ("lb-userspace/src/trace/mod.rs", ""),
        ];
        files.retain(|(name, _)| *name != file);
        files.push((file, text));
        let tree = Tree::of(&files);
        let targets = targets(&tree, &Sources::read(&tree).0);
        check(&tree, &targets).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        assert_eq!(faults("lb-userspace/README.md", ""), [""; 0]);
    }

    #[test]
    fn arrows_that_point_up_or_sideways_are_faults() {
        for (file, text, fault) in [
            (
                "config/mod.rs",
                "\nuse crate::datapath::error::Error;",
                "config/mod.rs:2: `config` imports crate::datapath::error::Error, but `datapath` is above",
            ),
            (
                "net/mod.rs",
                "fn f() { crate::config::g() }",
                "net/mod.rs:1: `net` imports crate::config::g, but `config` is beside",
            ),
            (
                "trace/mod.rs",
                "use crate::doctor::Finding;",
                "trace/mod.rs:1: `trace` imports crate::doctor::Finding, but `doctor` is beside",
            ),
            (
                "doctor/mod.rs",
                "use crate::cli::Doctor;",
                "doctor/mod.rs:1: `doctor` imports crate::cli::Doctor, but `cli` is above",
            ),
            (
                "datapath/layout/mod.rs",
                "use super::sys::write;",
                "datapath/layout/mod.rs:1: `layout` imports super::sys::write, but `sys` is never for",
            ),
            (
                "datapath/error.rs",
                "use super::attach::Link;",
                "datapath/error.rs:1: `error` imports super::attach::Link, but `attach` is above",
            ),
        ] {
            let faults = faults(&format!("lb-userspace/src/{file}"), text);
            let [found] = &faults[..] else { panic!("{file}: {faults:?}") };
            assert!(found.starts_with(&format!("lb-userspace/src/{fault}")), "{found}");
        }
    }

    #[test]
    fn loose_files_and_new_rooms_are_faults() {
        for (file, fault) in [
            ("lb-userspace/src/guard.rs", "lb-userspace/src/guard.rs:1: lb-userspace/src has no room `guard`"),
            ("lb-userspace/src/attic/x.rs", "lb-userspace/src/attic/x.rs:1: lb-userspace/src has no room `attic`"),
            (
                "lb-userspace/src/trace.rs",
                "lb-userspace/src/trace.rs:1: no loose files in lb-userspace/src; move this to trace/mod.rs",
            ),
            ("lb-userspace/src/datapath/store.rs", "lb-userspace/src/datapath/store.rs:1: no loose files"),
        ] {
            let faults = faults(file, "");
            let [found] = &faults[..] else { panic!("{file}: {faults:?}") };
            assert!(found.starts_with(fault), "{found}");
        }
    }
}
