//! Checks that every task of `cargo xtask` is in a document that developers read.

use crate::tidy::{fault::Fault, tree::Tree};

const DOCUMENTS: [&str; 2] = ["README.md", "CONTRIBUTING.md"];

/// Tasks that are in neither.
pub fn check(tree: &Tree, tasks: &[String]) -> Vec<Fault> {
    let is_named = |task: &str| {
        let command = format!("cargo xtask {task}");
        DOCUMENTS
            .iter()
            .flat_map(|document| {
                tree.text(document).match_indices(&command).map(|(at, _)| &tree.text(document)[at + command.len()..])
            })
            .any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-'))
    };
    let missing = tasks.iter().filter(|task| !is_named(task));
    let fault = |task| {
        Fault::new(
            "CONTRIBUTING.md",
            1,
            format!("`cargo xtask {task}` is neither here nor in README.md; say what it is for"),
        )
    };
    missing.map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_no_document_names_is_a_fault() {
        let tree = Tree::of(&[
            ("README.md", "`cargo xtask test`, cargo xtask linting"),
            ("CONTRIBUTING.md", "cargo xtask deb --test"),
        ]);
        let faults = check(&tree, &["test", "deb", "lint"].map(str::to_owned));
        assert_eq!(
            faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["CONTRIBUTING.md:1: `cargo xtask lint` is neither here nor in README.md; say what it is for"]
        );
    }
}
