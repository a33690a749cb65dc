//! All Rust files, each read once.

use std::collections::BTreeMap;

use super::source::{self, Source};
use crate::tidy::{fault::Fault, tree::Tree};

/// What each file declares and names.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, Source>);

impl Sources {
    /// Reads them, and says which cannot be read.
    pub fn read(tree: &Tree) -> (Self, Vec<Fault>) {
        let (mut sources, mut faults) = (Self::default(), Vec::new());
        for (name, text) in tree.ending(".rs") {
            match source::read(text) {
                Ok(source) => drop(sources.0.insert(name.to_owned(), source)),
                Err(error) => faults.push(Fault::new(name, 1, format!("this is not Rust ({error}); try cargo check"))),
            }
        }
        (sources, faults)
    }

    pub fn get(&self, file: &str) -> Option<&Source> {
        self.0.get(file)
    }
}
