//! `cargo xtask tidy`: finds what reviewers would otherwise have to look for.
//!
//! Each check is a function of the repository's files, so its tests hand it files with faults in them.

mod circles;
mod columns;
mod documents;
mod fault;
mod imports;
mod names;
mod rooms;
mod tree;

use anyhow::{Result, ensure};

use self::{
    fault::Fault,
    imports::{Sources, targets},
    tree::Tree,
};
use crate::{process::root, spelling};

/// Prints every fault, and fails if there is one. Given are the names of all tasks.
pub fn run(tasks: &[String]) -> Result<()> {
    let faults = check(&Tree::read(&root())?, tasks);
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "tidy: {} faults", faults.len());
    if spelling::is_there() {
        spelling::check()?;
    } else {
        println!("WARNING: codespell is missing: spelling is not checked; cargo xtask setup installs it");
    }
    println!("tidy: nothing to complain of");
    Ok(())
}

fn check(tree: &Tree, tasks: &[String]) -> Vec<Fault> {
    let (sources, mut faults) = Sources::read(tree);
    let targets = targets(tree, &sources);
    faults.extend(circles::check(&targets));
    faults.extend(rooms::check(tree, &targets));
    faults.extend(columns::check(tree));
    faults.extend(names::check(tree));
    faults.extend(documents::check(tree, tasks));
    faults.sort();
    faults
}
