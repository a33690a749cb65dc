//! Checks the files that documents name: each one exists.

use super::markdown::{Kind, Literal};
use crate::tidy::{fault::Fault, imports::normal, tree::Tree};

/// Where short names of sources may start.
const SOURCES: [&str; 3] = ["lb-userspace/src", "lb-ebpf/src", "lb-common/src"];

/// Names of files that do not exist.
pub fn check(tree: &Tree, document: &str, literals: &[Literal<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for literal in literals {
        for name in names(tree, document, literal) {
            if !exists(tree, document, &name) {
                let message = format!("there is no {name}, or several; name what there is, from the root on");
                faults.push(Fault::new(document, literal.line, message));
            }
        }
    }
    faults
}

/// What of it is meant as a name of a file of the repository.
fn names(tree: &Tree, document: &str, literal: &Literal<'_>) -> Vec<String> {
    if literal.kind == Kind::Link {
        let path = literal.text.split('#').next().unwrap_or_default();
        let is_here = !path.is_empty() && !path.contains(':');
        return if is_here { vec![path.to_owned()] } else { Vec::new() };
    }
    let words = literal.text.split_whitespace().map(|word| word.trim_matches(|mark| "\"'(),:;".contains(mark)));
    let words = words.map(|word| word.trim_start_matches("./"));
    words.flat_map(branches).filter(|word| is_name(tree, document, literal.kind, word)).collect()
}

/// `a/{b,c}.rs` is two names.
fn branches(word: &str) -> Vec<String> {
    if let Some((start, rest)) = word.split_once('{')
        && let Some((middle, end)) = rest.split_once('}')
    {
        return middle.split(',').map(|part| format!("{start}{}{end}", part.trim())).collect();
    }
    vec![word.to_owned()]
}

fn is_name(tree: &Tree, document: &str, kind: Kind, word: &str) -> bool {
    let is_plain = word.chars().all(|character| character.is_ascii_alphanumeric() || "._-/".contains(character));
    // `NAME` is the reader's to choose.
    let is_chosen =
        word.split('/').skip(1).any(|part| part.starts_with(char::is_uppercase) && part == part.to_uppercase());
    if !is_plain || is_chosen || word.starts_with(['/', '-']) || word.starts_with("..") {
        return false;
    }
    let is_source = word.ends_with(".rs") && !word.starts_with('.');
    match word.split_once('/') {
        Some((first, rest)) => {
            let is_known = |path: &str| tree.has_directory(path);
            is_source || (!rest.is_empty() && (is_known(first) || is_known(&beside(document, first))))
        }
        // In a block a bare name may be anything.
        None => kind == Kind::Span && word != "mod.rs" && (is_source || word.ends_with(".md")),
    }
}

/// The path of what is beside a document.
fn beside(document: &str, path: &str) -> String {
    let directory = document.rsplit_once('/').map_or("", |(directory, _)| directory);
    normal(&format!("{directory}/{path}"))
}

fn exists(tree: &Tree, document: &str, name: &str) -> bool {
    let is_there = |path: &str| tree.has(path) || tree.has_directory(path);
    if is_there(&beside(document, name)) || is_there(&normal(name)) {
        return true;
    }
    let end = format!("/{}", name.trim_end_matches('/'));
    SOURCES.iter().any(|sources| is_there(&format!("{sources}{end}"))) || tree.ending(&end).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::documents::markdown::literals;

    fn faults(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[
            ("README.md", ""),
            ("docs/A.md", ""),
            ("docs/images/a.png", ""),
            (".ci/run", ""),
            ("scripts/setup.sh", ""),
            ("lb-userspace/src/datapath/store/cells.rs", ""),
            ("lb-userspace/src/judge.rs", ""),
            ("lb-userspace/tests/oracle/judge.rs", ""),
            ("lb-userspace/tests/oracle/main.rs", ""),
            ("lb-userspace/tests/cli/main.rs", ""),
        ]);
        check(&tree, "docs/B.md", &literals(text)).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn names_of_files_that_exist_are_fine() {
        for text in [
            "[a](A.md#part) [b](../README.md) [c](https://example.net/x.md) [d](#part) ![](images/a.png)",
            "`docs/A.md` `A.md` `README.md` `.ci/run` `lb-userspace/tests/oracle` `lb-userspace/tests/{cli,oracle}/main.rs`",
            "`cells.rs` `store/cells.rs` `judge.rs` `oracle/judge.rs` `images/`",
            "\n    scripts/setup.sh 203.0.113.10\n",
            "`/etc/modlb.toml` `old.toml` `mod.rs` `./target/release/modlb` `docs/MY-NAME` `a/b` `--x/y.rs` `*.rs` `203.0.113.0/24` `tcp/udp`",
        ] {
            assert_eq!(faults(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn names_of_files_that_do_not_exist_are_faults() {
        for text in [
            "[a](B.md)",
            "[a](../A.md)",
            "`gone.rs`",
            "`main.rs`",
            "`C.md`",
            "`scripts/gone.sh`",
            "`see lb-userspace/tests/gone:`",
            "`lb-userspace/tests/{cli,gone}/main.rs`",
            "`datapath/cells.rs`",
            "![](images/b.png)",
        ] {
            assert_eq!(faults(text), [1], "{text}");
        }
        assert_eq!(faults("```\nscripts/gone.sh 203.0.113.10\n```"), [2]);
    }
}
