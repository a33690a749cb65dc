//! Checks that everything that documents name exists.

mod commands;
mod decisions;
mod markdown;
mod paths;
mod tasks;

use self::commands::Commands;
use super::{fault::Fault, tree::Tree};

/// Checks README, CONTRIBUTING and everything in `docs`, given the tasks of `cargo xtask`.
pub fn check(tree: &Tree, tasks: &[String]) -> Vec<Fault> {
    const CLI: &str = "lb-userspace/src/cli/mod.rs";
    let xtask = Commands::of_xtask(tasks);
    let modlb = match Commands::of_modlb(tree) {
        Ok(commands) if commands.is_empty() => {
            return vec![Fault::new(
                CLI,
                1,
                "no enum Command with subcommands is here; mend xtask/src/tidy/documents/commands.rs",
            )];
        }
        Ok(commands) => commands,
        Err(error) => return vec![Fault::new(CLI, 1, format!("cannot be read: {error}"))],
    };
    let mut faults = tasks::check(tree, tasks);
    faults.extend(decisions::check(tree));
    let is_document = |name: &str| ["README.md", "CONTRIBUTING.md"].contains(&name) || name.starts_with("docs/");
    for (name, text) in tree.ending(".md").filter(|(name, _)| is_document(name)) {
        let literals = markdown::literals(text);
        faults.extend(paths::check(tree, name, &literals));
        faults.extend(commands::check(&modlb, &xtask, name, &literals));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_read() {
        let tree = Tree::of(&[
            ("README.md", "`cargo xtask test`"),
            ("CONTRIBUTING.md", "[a](gone.md)"),
            ("docs/decisions/1.md", ""),
            ("docs/A.md", "`modlb gone`"),
            ("scripts/README.md", "[not read](gone.md)"),
            ("lb-userspace/src/cli/mod.rs", "#[derive(Subcommand)] enum Command { Status }"),
        ]);
        let faults = check(&tree, &["test".to_owned()]);
        let files: Vec<_> = faults.iter().map(|fault| fault.file.as_str()).collect();
        assert_eq!(files, ["docs/decisions/1.md", "docs/decisions/1.md", "CONTRIBUTING.md", "docs/A.md"], "{faults:?}");
    }

    #[test]
    fn a_command_line_that_is_not_found_is_a_fault() {
        assert_eq!(check(&Tree::of(&[("README.md", "")]), &[]).len(), 1);
    }
}
