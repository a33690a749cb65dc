//! Which module is in which file.

use std::collections::BTreeMap;

use super::{
    source::{Declared, Source},
    sources::Sources,
};

/// The modules of one target, by their ways from its first file, which has none.
#[derive(Debug, Default)]
pub struct Modules {
    files: BTreeMap<Vec<String>, String>,
    /// Those that are written out, with the files that they are in.
    inline: BTreeMap<Vec<String>, String>,
}

/// Where a file's own modules are looked for.
#[derive(Clone, Copy)]
enum Style {
    /// Beside it: a first file, `mod.rs`, and what `#[path]` names.
    Beside,
    /// In a folder of its name.
    Below,
}

impl Modules {
    /// Follows declarations from a first file.
    pub fn of(first: &str, sources: &Sources) -> Self {
        let mut modules = Self::default();
        modules.add(Vec::new(), first.to_owned(), Style::Beside, sources);
        modules
    }

    fn add(&mut self, way: Vec<String>, file: String, style: Style, sources: &Sources) {
        let Some(source) = sources.get(&file) else { return };
        self.files.insert(way.clone(), file.clone());
        let below = |scope: &[String]| way.iter().chain(scope).cloned().collect::<Vec<_>>();
        for scope in source.inline.keys() {
            self.inline.insert(below(scope), file.clone());
        }
        for declared in &source.modules {
            let (candidates, way) = (candidates(&file, style, source, declared), below(&declared.scope));
            let found = candidates.into_iter().find(|(file, _)| sources.get(file).is_some());
            if let Some((file, style)) = found {
                self.add([way, vec![declared.name.clone()]].concat(), file, style, sources);
            }
        }
    }

    /// Those that are files.
    pub fn files(&self) -> impl Iterator<Item = (&[String], &str)> {
        self.files.iter().map(|(way, file)| (way.as_slice(), file.as_str()))
    }

    /// The file that a module is or is in.
    pub fn file(&self, way: &[String]) -> Option<&str> {
        self.files.get(way).or_else(|| self.inline.get(way)).map(String::as_str)
    }
}

/// The files that a declaration may mean.
fn candidates(file: &str, style: Style, source: &Source, declared: &Declared) -> Vec<(String, Style)> {
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let own = match style {
        Style::Beside => directory,
        Style::Below => file.trim_end_matches(".rs"),
    };
    let parts = (1..=declared.scope.len()).map(|length| {
        let scope = &declared.scope[..length];
        source.inline.get(scope).cloned().flatten().or_else(|| scope.last().cloned()).unwrap_or_default()
    });
    let within = parts.fold(own.to_owned(), |directory, part| normal(&format!("{directory}/{part}")));
    match &declared.path {
        Some(path) if declared.scope.is_empty() => vec![(normal(&format!("{directory}/{path}")), Style::Beside)],
        Some(path) => vec![(normal(&format!("{within}/{path}")), Style::Beside)],
        None => vec![
            (format!("{within}/{}.rs", declared.name), Style::Below),
            (format!("{within}/{}/mod.rs", declared.name), Style::Beside),
        ],
    }
}

/// Without `.` and `..`.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
