//! Which file imports which.
//!
//! An import leads to the file of the last module that its path names: `crate::a::b::Item` to that of `crate::a::b`,
//! and a name that `a` only re-exports to that of `a`.

use std::collections::BTreeMap;

use super::{
    modules::Modules,
    source::{Named, Source},
    sources::Sources,
    targets::{Package, packages},
};
use crate::tidy::tree::Tree;

/// One file names something of another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Import {
    pub from: String,
    pub line: usize,
    pub to: String,
    /// As it is written.
    pub path: String,
}

/// A library, a program or a set of tests.
#[derive(Debug)]
pub struct Target {
    /// From each pair of files to the first line that connects them.
    pub imports: BTreeMap<(String, String), Import>,
}

/// All targets of all packages.
pub fn targets(tree: &Tree, sources: &Sources) -> Vec<Target> {
    packages(tree).iter().flat_map(|package| of_package(package, sources)).collect()
}

fn of_package(package: &Package, sources: &Sources) -> Vec<Target> {
    let library = package.library.as_ref().map(|first| Modules::of(first, sources));
    let target = |own: &Modules, library: Option<(&str, &Modules)>| {
        let mut imports = BTreeMap::new();
        for (way, file) in own.files() {
            if let Some(source) = sources.get(file) {
                add(&mut imports, way, file, source, &Names { own, library });
            }
        }
        Target { imports }
    };
    let others = package.others.iter().map(|first| {
        let library = library.as_ref().map(|library| (package.library_name.as_str(), library));
        target(&Modules::of(first, sources), library)
    });
    let others: Vec<_> = others.collect();
    library.iter().map(|library| target(library, None)).chain(others).collect()
}

/// Adds what one file names.
fn add(
    imports: &mut BTreeMap<(String, String), Import>,
    way: &[String],
    file: &str,
    source: &Source,
    names: &Names<'_>,
) {
    let mut known = BTreeMap::new();
    for named in source.paths.iter().filter(|named| named.alias.is_some()) {
        if let (Some(module), Some(alias)) = (names.module(way, named, &BTreeMap::new()), &named.alias)
            && module.is_whole
        {
            known.insert((named.scope.clone(), alias.clone()), module);
        }
    }
    for named in &source.paths {
        let Some(module) = names.module(way, named, &known) else { continue };
        if let Some(to) = names.file(&module)
            && to != file
        {
            let path = named.segments.join("::");
            let import = Import { from: file.to_owned(), line: named.line, to: to.to_owned(), path };
            imports.entry((file.to_owned(), to.to_owned())).or_insert(import);
        }
    }
}

/// A module of this target or of the library.
#[derive(Clone, Debug)]
struct Module {
    is_of_library: bool,
    way: Vec<String>,
    /// Whether the path names nothing in it.
    is_whole: bool,
}

/// Modules that have been imported, by scope and name.
type Known = BTreeMap<(Vec<String>, String), Module>;

/// What paths may start with.
struct Names<'a> {
    own: &'a Modules,
    /// The library that a program or test belongs to, by its name.
    library: Option<(&'a str, &'a Modules)>,
}

impl Names<'_> {
    /// The last module of a path that the file of a module has.
    fn module(&self, way: &[String], named: &Named, known: &Known) -> Option<Module> {
        let here = [way, &named.scope].concat();
        let first = named.segments.first()?;
        let start = |is_of_library, way, used| Some((Module { is_of_library, way, is_whole: false }, used));
        let (mut module, used) = match first.as_str() {
            "crate" => start(false, Vec::new(), 1),
            "self" | "super" => {
                let ups = named.segments.iter().take_while(|name| ["self", "super"].contains(&name.as_str()));
                let (used, levels) = (ups.clone().count(), ups.filter(|name| *name == "super").count());
                start(false, here.get(..here.len().checked_sub(levels)?)?.to_vec(), used)
            }
            name if self.library.is_some_and(|(library, _)| library == name) => start(true, Vec::new(), 1),
            name => match known.get(&(named.scope.clone(), name.to_owned())) {
                Some(module) if named.alias.is_none() => Some((module.clone(), 1)),
                _ => self.own.file(&[here.as_slice(), &[name.to_owned()]].concat()).and_then(|_| start(false, here, 0)),
            },
        }?;
        // What is not an import ends in an item, though a module may have the same name.
        let end = named.segments.len() - usize::from(named.alias.is_none());
        module.is_whole = true;
        for name in named.segments.get(used..end).unwrap_or_default() {
            module.way.push(name.clone());
            if self.file(&module).is_none() {
                module.way.pop();
                module.is_whole = false;
                break;
            }
        }
        Some(module)
    }

    fn file(&self, module: &Module) -> Option<&str> {
        let modules = if module.is_of_library { self.library?.1 } else { self.own };
        modules.file(&module.way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports<const COUNT: usize>(files: [(&str, &str); COUNT]) -> Vec<String> {
        let tree = Tree::of(&files);
        let (sources, faults) = Sources::read(&tree);
        assert_eq!(faults, []);
        let targets = targets(&tree, &sources);
        let imports = targets.iter().flat_map(|target| target.imports.values());
        imports.map(|import| format!("{}:{} {}", import.from, import.line, import.to)).collect()
    }

    const MANIFEST: (&str, &str) = ("p/Cargo.toml", "[package]\nname = \"my-p\"");

    #[test]
    fn an_import_ends_in_the_last_module_of_its_path() {
        let found = imports([
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod e;"),
            ("p/src/a/mod.rs", "mod b;\nmod c;\npub use self::b::Item;"),
            ("p/src/a/b.rs", "use super::c::d::Thing;"),
            ("p/src/a/c.rs", "pub mod d;"),
            ("p/src/a/c/d.rs", "use crate::a::Item;"),
            ("p/src/e.rs", "fn f() { crate::a::c::g() }"),
        ]);
        assert_eq!(
            found,
            [
                "p/src/a/b.rs:1 p/src/a/c/d.rs",
                "p/src/a/c/d.rs:1 p/src/a/mod.rs",
                "p/src/a/mod.rs:3 p/src/a/b.rs",
                "p/src/e.rs:1 p/src/a/c.rs",
            ]
        );
    }

    #[test]
    fn a_child_and_an_imported_module_may_begin_a_path() {
        let found = imports([
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod b;\nfn f() { a::g() }"),
            ("p/src/a.rs", "use crate::b as other;\n\nfn g() { other::c::h(); other::c() }"),
            ("p/src/b/mod.rs", "pub mod c;"),
            ("p/src/b/c.rs", ""),
        ]);
        assert_eq!(found, ["p/src/a.rs:3 p/src/b/c.rs", "p/src/a.rs:1 p/src/b/mod.rs", "p/src/lib.rs:3 p/src/a.rs"]);
    }

    #[test]
    fn programs_import_from_their_library_by_its_name() {
        let found = imports([
            MANIFEST,
            ("p/src/lib.rs", "pub mod a;"),
            ("p/src/a.rs", ""),
            ("p/src/main.rs", "use my_p::{a::B, other};"),
            ("p/tests/t/main.rs", "mod part;\n#[path = \"../support/mod.rs\"]\nmod support;"),
            ("p/tests/t/part.rs", "use crate::support::first;\nfn f() { my_p::a::c() }"),
            ("p/tests/support/mod.rs", "mod second;"),
            ("p/tests/support/second.rs", "use super::first;"),
        ]);
        assert_eq!(
            found,
            [
                "p/src/main.rs:1 p/src/a.rs",
                "p/src/main.rs:1 p/src/lib.rs",
                "p/tests/support/second.rs:1 p/tests/support/mod.rs",
                "p/tests/t/part.rs:2 p/src/a.rs",
                "p/tests/t/part.rs:1 p/tests/support/mod.rs",
            ]
        );
    }

    #[test]
    fn modules_that_are_written_out_are_of_their_file() {
        let found = imports([
            MANIFEST,
            ("p/src/lib.rs", "pub mod a { pub mod b { pub use super::super::d::E; } pub mod c; }\npub mod d;"),
            ("p/src/a/c.rs", "use super::b::E;"),
            ("p/src/d.rs", ""),
            ("p/tests/t.rs", "#[path = \"../s\"] mod s { pub mod e; }\n#[path = \"g.inc.rs\"] mod g;\nuse s::e::F;"),
            ("p/s/e.rs", ""),
            ("p/tests/g.inc.rs", "use super::s::e::G;"),
        ]);
        assert_eq!(
            found,
            [
                "p/src/a/c.rs:1 p/src/lib.rs",
                "p/src/lib.rs:1 p/src/d.rs",
                "p/tests/g.inc.rs:1 p/s/e.rs",
                "p/tests/t.rs:3 p/s/e.rs",
            ]
        );
    }
}
