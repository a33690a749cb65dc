//! What cargo compiles: libraries, programs and sets of tests, each known by its root file.

use crate::tidy::tree::Tree;

/// Where cargo looks for first files by itself.
const DIRECTORIES: [&str; 4] = ["src/bin", "tests", "benches", "examples"];

/// One package.
#[derive(Debug, Eq, PartialEq)]
pub struct Package {
    /// How its library is called in its programs and tests.
    pub library_name: String,
    /// The library's first file.
    pub library: Option<String>,
    /// The first files of all else.
    pub others: Vec<String>,
}

/// All packages of the tree.
pub fn packages(tree: &Tree) -> Vec<Package> {
    tree.ending("Cargo.toml").filter_map(|(manifest, text)| package(tree, manifest, text)).collect()
}

fn package(tree: &Tree, manifest: &str, text: &str) -> Option<Package> {
    let directory = manifest.strip_suffix("/Cargo.toml")?;
    let (_, body) = text.split_once("[package]")?;
    let name = body.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
    let library = format!("{directory}/src/lib.rs");
    let named = text.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    let named = named.map(|path| format!("{directory}/{path}")).filter(|path| path.ends_with(".rs"));
    let mut others: Vec<_> =
        tree.names().filter(|name| is_first(directory, name)).map(str::to_owned).chain(named).collect();
    others.sort();
    others.dedup();
    Some(Package { library_name: name.replace('-', "_"), library: tree.has(&library).then_some(library), others })
}

fn is_first(directory: &str, name: &str) -> bool {
    let Some(path) = name.strip_prefix(directory).and_then(|path| path.strip_prefix('/')) else { return false };
    if ["src/main.rs", "build.rs"].contains(&path) {
        return true;
    }
    DIRECTORIES.iter().any(|directory| {
        let Some(path) = path.strip_prefix(directory).and_then(|path| path.strip_prefix('/')) else { return false };
        match path.split_once('/') {
            Some((_, file)) => file == "main.rs",
            None => path.ends_with(".rs"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_files_are_those_of_cargo_and_of_the_manifest() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]"),
            ("a-b/Cargo.toml", "[package]\nname = \"a-b\"\n[[bin]]\nname = \"c\"\npath = \"src/c/first.rs\""),
            ("a-b/src/lib.rs", ""),
            ("a-b/src/main.rs", ""),
            ("a-b/src/c/first.rs", ""),
            ("a-b/src/bin/d.rs", ""),
            ("a-b/src/bin/d/main.rs", ""),
            ("a-b/src/bin/d/part.rs", ""),
            ("a-b/tests/e/main.rs", ""),
            ("a-b/tests/e/mod.rs", ""),
            ("a-b/other/Cargo.toml", "[package]\nname = \"other\""),
            ("a-b/other/src/main.rs", ""),
        ]);
        let [first, other] = &packages(&tree)[..] else { panic!("two packages") };
        assert_eq!((first.library_name.as_str(), first.library.as_deref()), ("a_b", Some("a-b/src/lib.rs")));
        assert_eq!(
            first.others,
            ["src/bin/d.rs", "src/bin/d/main.rs", "src/c/first.rs", "src/main.rs", "tests/e/main.rs"]
                .map(|n| format!("a-b/{n}"))
        );
        assert_eq!((other.library.as_ref(), &other.others[..]), (None, &["a-b/other/src/main.rs".to_owned()][..]));
    }
}
