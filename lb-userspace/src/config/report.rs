//! Collects the problems of a part of a configuration.

use std::{borrow::Cow, collections::HashMap, hash::Hash};

use super::{path::Path, problem::Finding};

/// What a service is called in messages.
pub(super) fn service_label(index: usize, name: &str) -> String {
    match name {
        "" => format!("service number {}", index + 1),
        // A name with unprintable characters is refused, but the message shows it.
        name => format!("service {}", name.escape_debug()),
    }
}

/// What an earlier list of servers is called in messages.
pub(super) fn previous_label(index: usize) -> String {
    format!("list {} of previous", index + 1)
}

/// Collects the problems of a part: of the whole, of a service, or of a server. There may be many thousands of parts
/// without a problem, so nothing is put together before there is one.
pub(super) struct Report<'a> {
    /// The part, or the service of the server that is the part.
    path: Cow<'a, Path>,
    server: Option<usize>,
    /// The start of its messages, if it has a name.
    label: Option<Cow<'a, str>>,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    /// Those of the whole.
    pub fn new(findings: &'a mut Vec<Finding>) -> Self {
        Self { path: Cow::Owned(Path::default()), server: None, label: None, findings }
    }

    /// Those of a service.
    pub fn of_service(index: usize, name: &str, findings: &'a mut Vec<Finding>) -> Self {
        let label = Some(service_label(index, name).into());
        Self { path: Cow::Owned(Path::service(index)), server: None, label, findings }
    }

    /// Those of a server of this service.
    pub fn server(&mut self, index: usize) -> Report<'_> {
        let label = self.label.as_deref().map(Cow::Borrowed);
        Report { path: Cow::Borrowed(&self.path), server: Some(index), label, findings: self.findings }
    }

    /// The place of this part.
    fn path(&self) -> Path {
        self.server.map_or_else(|| self.path.clone().into_owned(), |index| self.path.server(index))
    }

    /// The place of a key of this part.
    pub fn key(&self, key: &'static str) -> Path {
        self.path().key(key)
    }

    /// A problem with a key of this part.
    pub fn add(&mut self, key: &'static str, text: impl std::fmt::Display) {
        self.add_at(self.key(key), text);
    }

    /// A problem with an item of a list.
    pub fn add_item(&mut self, key: &'static str, index: usize, text: impl std::fmt::Display) {
        self.add_at(self.key(key).item(index), text);
    }

    /// The same, if something is wrong.
    pub fn add_if(&mut self, wrong: bool, key: &'static str, text: impl FnOnce() -> String) {
        if wrong {
            self.add(key, text());
        }
    }

    /// A problem with a key that is one only because other keys of this part are absent.
    pub fn add_without(&mut self, key: &'static str, absent: &[&'static str], text: impl std::fmt::Display) {
        let absent = absent.iter().map(|key| self.key(key)).collect();
        let path = self.key(key);
        self.push(path, text, absent);
    }

    /// The same, if keys of other parts are absent.
    pub fn add_unless(&mut self, key: &'static str, absent: Vec<Path>, text: impl std::fmt::Display) {
        let path = self.key(key);
        self.push(path, text, absent);
    }

    /// A problem at a place that is one only because another place could not be read.
    pub fn add_at_unless(&mut self, path: Path, absent: Vec<Path>, text: impl std::fmt::Display) {
        self.push(path, text, absent);
    }

    /// A problem at a place.
    pub fn add_at(&mut self, path: Path, text: impl std::fmt::Display) {
        self.push(path, text, Vec::new());
    }

    fn push(&mut self, path: Path, text: impl std::fmt::Display, absent: Vec<Path>) {
        let text = match &self.label {
            Some(label) => format!("{label}: {text}"),
            None => text.to_string(),
        };
        self.findings.push(Finding { path, text, absent });
    }
}

/// Whether a value occurs for the second time. Later occurrences would only repeat the message.
pub(super) fn second_time<T: Eq + Hash>(seen: &mut HashMap<T, u32>, value: T) -> bool {
    let count = seen.entry(value).or_insert(0);
    *count += 1;
    *count == 2
}
