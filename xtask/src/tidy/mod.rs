//! `cargo xtask tidy`: what reviewers would have to look for otherwise.
//!
//! Each check is a function of the repository's files, so its tests hand it files with faults in them.

mod circles;
mod columns;
mod fault;
mod imports;
mod rooms;
mod tree;

use anyhow::{Result, ensure};

use self::{
    fault::Fault,
    imports::{Sources, targets},
    tree::Tree,
};
use crate::process::root;

/// Prints every fault, and fails if there is one.
pub fn run() -> Result<()> {
    let faults = check(&Tree::read(&root())?);
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "tidy: {} faults", faults.len());
    println!("tidy: nothing to complain of");
    Ok(())
}

fn check(tree: &Tree) -> Vec<Fault> {
    let (sources, mut faults) = Sources::read(tree);
    let targets = targets(tree, &sources);
    faults.extend(circles::check(&targets));
    faults.extend(rooms::check(tree, &targets));
    faults.extend(columns::check(tree));
    faults.sort();
    faults
}
