//! No files that import each other in a circle: each can then be read and changed without those that use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    fault::Fault,
    imports::{Import, Target},
};

/// The shortest circle of each knot.
pub fn check(targets: &[Target]) -> Vec<Fault> {
    let mut faults: Vec<_> = targets.iter().flat_map(of_target).collect();
    faults.sort();
    // Files may belong to several targets.
    faults.dedup();
    faults
}

fn of_target(target: &Target) -> Vec<Fault> {
    let mut from: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in target.imports.values() {
        from.entry(&import.from).or_default().push(import);
    }
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for file in from.keys().copied() {
        if seen.contains(file) {
            continue;
        }
        let Some(circle) = shortest(file, &from) else { continue };
        // All that can be reached and leads back is one knot.
        let ahead = reached(file, &from);
        seen.extend(ahead.into_iter().filter(|other| reached(other, &from).contains(file)));
        faults.push(fault(&circle));
    }
    faults
}

/// The shortest way from a file back to it.
fn shortest<'a>(file: &str, from: &BTreeMap<&str, Vec<&'a Import>>) -> Option<Vec<&'a Import>> {
    let mut ways: VecDeque<Vec<&Import>> = from.get(file)?.iter().map(|import| vec![*import]).collect();
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let end = way.last()?.to.as_str();
        if end == file {
            return Some(way);
        }
        if seen.insert(end) {
            let next = from.get(end).into_iter().flatten();
            ways.extend(next.map(|import| way.iter().copied().chain([*import]).collect::<Vec<_>>()));
        }
    }
    None
}

/// All files that can be come to.
fn reached<'a>(file: &str, from: &BTreeMap<&str, Vec<&'a Import>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for import in from.get(file).into_iter().flatten() {
            if reached.insert(import.to.as_str()) {
                open.push(&import.to);
            }
        }
    }
    reached
}

fn fault(circle: &[&Import]) -> Fault {
    let lines: String = circle
        .iter()
        .map(|import| format!("\n    {}:{} imports {} ({})", import.from, import.line, import.to, import.path))
        .collect();
    let (file, line) = circle.first().map_or(("", 1), |import| (import.from.as_str(), import.line));
    Fault::new(
        file,
        line,
        format!("a circle of files; put what both ends need into a file below them, which neither is in{lines}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{
        imports::{Sources, targets},
        tree::Tree,
    };

    fn check_files<const COUNT: usize>(files: [(&str, &str); COUNT]) -> Vec<String> {
        let tree = Tree::of(&files);
        check(&targets(&tree, &Sources::read(&tree).0)).iter().map(ToString::to_string).collect()
    }

    const MANIFEST: (&str, &str) = ("p/Cargo.toml", "[package]\nname = \"p\"");

    #[test]
    fn a_circle_is_shown_whole_with_its_lines() {
        let faults = check_files([
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            ("p/src/a.rs", "\nuse crate::b::x;"),
            ("p/src/b.rs", "fn f() { super::c::g() }\nuse crate::d;"),
            ("p/src/c.rs", "\n\nuse crate::{a::h};"),
            ("p/src/d.rs", ""),
        ]);
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert!(fault.starts_with("p/src/a.rs:2: a circle of files; "), "{fault}");
        let circle: Vec<_> = fault.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            circle,
            [
                "p/src/a.rs:2 imports p/src/b.rs (crate::b::x)",
                "p/src/b.rs:1 imports p/src/c.rs (super::c::g)",
                "p/src/c.rs:3 imports p/src/a.rs (crate::a::h)",
            ]
        );
    }

    #[test]
    fn a_child_may_not_take_from_a_parent_that_calls_it() {
        let parent = "mod child;\npub struct Thing;\nfn f() { child::g() }";
        let taking = check_files([MANIFEST, ("p/src/main.rs", parent), ("p/src/child.rs", "use super::Thing;")]);
        assert_eq!(taking.len(), 1, "{taking:?}");
        let passed_on = "mod a;\nmod b;\npub use self::a::A;";
        let files = [MANIFEST, ("p/src/main.rs", passed_on), ("p/src/b.rs", "use super::A;")];
        let [no_circle, circle] =
            ["", "use super::b::B;"].map(|a| check_files([files[0], files[1], files[2], ("p/src/a.rs", a)]));
        assert_eq!((no_circle.len(), circle.len()), (0, 1), "{circle:?}");
    }

    #[test]
    fn two_knots_are_two_faults_and_what_tests_import_is_none() {
        let circle = |other: &str| format!("use super::{other}::x;");
        let (a, b, c, d) = (circle("b"), circle("a"), circle("d"), circle("c"));
        let faults = check_files([
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;"),
            ("p/src/a.rs", &a),
            ("p/src/b.rs", &b),
            ("p/src/c.rs", &c),
            ("p/src/d.rs", &d),
            ("p/src/e.rs", "use super::a::y;\n#[cfg(test)]\nmod tests {\n    use crate::a::z; }"),
        ]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        let tests_only = check_files([
            MANIFEST,
            ("p/src/lib.rs", "mod a;\nmod b;"),
            ("p/src/a.rs", "use super::b::x;"),
            ("p/src/b.rs", "#[cfg(test)]\nmod tests {\n    use crate::a::z;\n}"),
        ]);
        assert_eq!(tests_only, [""; 0]);
    }
}
