//! What apt would do, as `apt-get --simulate` tells it. Pure.

use std::fmt;

/// What would happen to packages.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Simulation {
    /// Installed for the first time.
    pub new: Vec<String>,
    /// Replaced by another version.
    pub upgraded: Vec<String>,
    /// Removed.
    pub removed: Vec<String>,
    /// What would be downloaded, as `package=version`.
    pub archives: Vec<String>,
}

impl Simulation {
    /// Reads lines such as `Inst curl [7.88.1-10] (7.88.1-14 Debian:12/stable [amd64])` and `Remv rustc [1.63.0]`.
    pub fn read(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(verb), Some(package)) = (words.next(), words.next()) else { continue };
            match verb {
                "Inst" => {
                    let is_there = words.clone().next().is_some_and(|word| word.starts_with('['));
                    let list = if is_there { &mut found.upgraded } else { &mut found.new };
                    list.push(package.to_owned());
                    let version = words.find_map(|word| word.strip_prefix('('));
                    found.archives.extend(version.map(|version| format!("{package}={version}")));
                }
                "Remv" | "Purg" => found.removed.push(package.to_owned()),
                _ => {}
            }
        }
        found
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("new", &self.new), ("upgraded", &self.upgraded), ("removed", &self.removed)];
        let lists: Vec<_> = lists
            .iter()
            .filter(|(_, packages)| !packages.is_empty())
            .map(|(what, packages)| format!("  {what} ({}): {}", packages.len(), packages.join(" ")))
            .collect();
        f.write_str(&if lists.is_empty() { "  nothing".to_owned() } else { lists.join("\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As printed by apt 2.6.
    const PRINTED: &str = "\
NOTE: This is only a simulation!
Reading package lists...
The following packages will be REMOVED:
  cargo rustc
The following NEW packages will be installed:
  rustc-web
Remv cargo [0.66.0+ds1-1]
Remv rustc [1.63.0+dfsg1-2]
Inst libstd-rust-web-1.78 (1.78.0-2 Debian:12.9/stable [amd64])
Inst curl [7.88.1-10] (7.88.1-14 Debian:12/stable [amd64])
Inst rustc-web (1.78.0-2 Debian:12.9/stable [amd64])
Conf rustc-web (1.78.0-2 Debian:12.9/stable [amd64])
";

    #[test]
    fn what_apt_would_do_is_read() {
        let found = Simulation::read(PRINTED);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(found.new, names(&["libstd-rust-web-1.78", "rustc-web"]));
        assert_eq!(found.upgraded, names(&["curl"]));
        assert_eq!(found.removed, names(&["cargo", "rustc"]));
        let archives = ["libstd-rust-web-1.78=1.78.0-2", "curl=7.88.1-14", "rustc-web=1.78.0-2"];
        assert_eq!(found.archives, names(&archives));
        let shown = "  new (2): libstd-rust-web-1.78 rustc-web\n  upgraded (1): curl\n  removed (2): cargo rustc";
        assert_eq!(found.to_string(), shown);
        assert_eq!(Simulation::read("Reading package lists...\n"), Simulation::default());
    }
}
