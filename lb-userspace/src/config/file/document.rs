//! The text of a configuration: read as far as possible, with the place of everything in it.
//!
//! serde stops at the first key or type that is wrong. So what is wrong is taken out, and the rest is read again.

use std::{cell::OnceCell, ops::Range};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error},
};

use crate::config::{
    path::{Path, Step},
    problem::{Finding, Place, Problem},
};

/// More than these would not help anybody, and each one takes as long as reading the file.
const MAX_UNREADABLE: usize = 100;

/// How similar two keys are if one is a misspelling of the other, from 0 to 1.
const SIMILAR: f64 = 0.8;

/// A text, what could be read of it, and what could not.
pub(super) struct Document<'a> {
    text: &'a str,
    /// What the parser reads: the text, or `legible`.
    legible: &'a OnceCell<String>,
    /// `None`: it was consumed, and can be made again.
    table: Option<Spanned<DeTable<'a>>>,
    /// Errors of TOML's syntax.
    broken: Vec<(usize, String)>,
    /// Keys and values that were taken out.
    removed: Vec<Removed>,
}

/// A key or value that was taken out.
struct Removed {
    path: Path,
    /// The key, if the key itself is wrong.
    unknown: Option<String>,
    offset: usize,
    text: String,
}

impl<'a> Document<'a> {
    /// Reads a text. `legible` is where a text without the lines goes at which the parser would stop.
    pub fn parse(text: &'a str, legible: &'a OnceCell<String>) -> Self {
        let (mut table, mut errors) = DeTable::parse_recoverable(text);
        if let Some(rest) = without_lone_keys(text, &mut errors) {
            table = DeTable::parse_recoverable(legible.get_or_init(|| rest)).0;
        }
        let broken = errors.iter().map(|error| (start(error), error.message().to_owned()));
        Self { text, legible, broken: broken.collect(), table: Some(table), removed: Vec::new() }
    }

    /// The text as a table, made again if it was consumed.
    fn table(&mut self) -> &mut Spanned<DeTable<'a>> {
        let text = self.legible.get().map_or(self.text, String::as_str);
        self.table.get_or_insert_with(|| DeTable::parse_recoverable(text).0)
    }

    /// The text as a value, without what is wrong in it; `None`: too much is wrong.
    pub fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        // Usually nothing is wrong. Copying the table of a large file takes longer than making the value.
        if let Some(table) = self.table.take()
            && let Ok(value) = T::deserialize(Deserializer::from(table))
        {
            return Some(value);
        }
        while self.removed.len() < MAX_UNREADABLE {
            let error = match T::deserialize(Deserializer::from(self.table().clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let removed = error.span().and_then(|span| take(self.table().get_mut(), &span, &Path::default()));
            let Some((path, unknown)) = removed else {
                self.broken.push((start(&error), error.message().to_owned()));
                return None;
            };
            let text = match &unknown {
                Some(_) => described(&error),
                None => format!("{}: {}", path.last_key().unwrap_or("value"), described(&error)),
            };
            self.removed.push(Removed { path, unknown, offset: start(&error), text });
        }
        None
    }

    /// Every problem at its place, in the order of lines, once. Consequences of others are left out.
    pub fn problems(&mut self, findings: Vec<Finding>) -> Vec<Problem> {
        if !findings.is_empty() {
            self.table();
        }
        let broken =
            self.broken.iter().map(|(offset, text)| (*offset, format!("not TOML: {text}: {}", self.line(*offset))));
        let removed = self.removed.iter().filter(|removed| !self.is_on_broken_line(removed.offset));
        let removed = removed.map(|removed| (removed.offset, removed.text.clone()));
        let mut problems: Vec<_> = broken.chain(removed).collect();
        problems.extend(findings.into_iter().filter_map(|finding| {
            let offset = self.offset(&finding.path);
            (!self.is_consequence(&finding, offset)).then_some((offset, finding.text))
        }));
        problems.sort_by_key(|(offset, _)| *offset);
        let mut problems: Vec<_> = problems
            .into_iter()
            .map(|(offset, text)| Problem { place: Some(Place::of(self.text, offset)), text })
            .collect();
        problems.dedup();
        problems
    }

    /// Where a key or item is, or what is around it if it is absent.
    fn offset(&self, path: &Path) -> usize {
        let Some(whole) = &self.table else { return 0 };
        let mut offset = whole.span().start;
        let mut value = None;
        for step in path.steps() {
            let table = value.map_or_else(|| Some(whole.get_ref()), DeValue::as_table);
            let next = match step {
                Step::Key(key) => {
                    table.and_then(|table| table.get_key_value(&**key)).map(|(key, value)| (key.span(), value))
                }
                Step::Item(index) => {
                    let item = value.and_then(DeValue::as_array).and_then(|items| items.get(*index));
                    item.map(|item| (item.span(), item))
                }
            };
            let Some((span, inner)) = next else { break };
            (offset, value) = (span.start, Some(inner.get_ref()));
        }
        offset
    }

    /// Whether a finding is only there because something else could not be read.
    fn is_consequence(&self, finding: &Finding, offset: usize) -> bool {
        if self.is_on_broken_line(offset) {
            return true;
        }
        let stands_for = |removed: &Removed, absent: &Path| match &removed.unknown {
            None => removed.path == *absent,
            Some(unknown) => {
                removed.path.parent() == absent.parent()
                    && absent.last_key().is_some_and(|key| strsim::jaro_winkler(unknown, key) >= SIMILAR)
            }
        };
        finding.absent.iter().any(|absent| {
            self.removed.iter().any(|removed| stands_for(removed, absent))
                || absent.parent().is_some_and(|table| self.is_broken(self.offset(&table)))
        })
    }

    /// Whether there is an error of syntax between a table's header and the next one.
    fn is_broken(&self, table: usize) -> bool {
        let header = |offset: usize| self.text[..self.line_end(offset)].rfind("\n[").unwrap_or(0);
        self.broken.iter().any(|(broken, _)| header(*broken) == header(table))
    }

    fn is_on_broken_line(&self, offset: usize) -> bool {
        let end = self.line_end(offset);
        self.broken.iter().any(|(broken, _)| self.line_end(*broken) == end)
    }

    /// The line around an offset, without white space around it.
    fn line(&self, offset: usize) -> &str {
        let end = self.line_end(offset);
        self.text[..end].rsplit('\n').next().unwrap_or_default().trim()
    }

    fn line_end(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let bytes = self.text.as_bytes();
        bytes[offset..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| offset + end)
    }
}

/// The text with spaces in place of keys without a value, behind which the parser reads nothing; `None`: there are
/// none. Errors behind them are added.
fn without_lone_keys(text: &str, errors: &mut Vec<Error>) -> Option<String> {
    let lone = |errors: &[Error]| {
        let spans = errors.iter().filter(|error| error.message().starts_with("key with no value"));
        spans.filter_map(Error::span).collect::<Vec<_>>()
    };
    let mut left = lone(errors);
    let mut text = (!left.is_empty()).then(|| text.to_owned())?;
    while let Some(span) = left.pop() {
        let line = text[..span.start].rfind('\n').map_or(0, |end| end + 1)..span.start;
        text.replace_range(line.clone(), &" ".repeat(line.len()));
        let (_, found) = DeTable::parse_recoverable(&text);
        let known = |error: &Error| errors.iter().any(|known| known.span() == error.span());
        let new: Vec<_> = found.into_iter().filter(|error| !known(error)).collect();
        left.extend(lone(&new));
        errors.extend(new);
    }
    Some(text)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// What is wrong, in words of this program's users.
fn described(error: &Error) -> String {
    let text =
        error.message().replace("unknown field", "unknown key").replace("expected i64", "expected a whole number");
    text.trim_end().replace('\n', "; ")
}

/// Takes out the key or value at a span. Returns where it was, and the key if the key is what is there.
fn take(table: &mut DeTable<'_>, span: &Range<usize>, path: &Path) -> Option<(Path, Option<String>)> {
    let found = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some((key, value)) = found {
        let (name, is_key) = (key.get_ref().to_string(), key.span() == *span && value.span() != *span);
        table.remove(name.as_str());
        return Some((path.key(name.clone()), is_key.then_some(name)));
    }
    table.iter_mut().find_map(|(key, value)| take_inside(value.get_mut(), span, &path.key(key.get_ref().to_string())))
}

fn take_inside(value: &mut DeValue<'_>, span: &Range<usize>, path: &Path) -> Option<(Path, Option<String>)> {
    match value {
        DeValue::Table(table) => take(table, span, path),
        DeValue::Array(items) => {
            if let Some(index) = items.iter().position(|item| item.span() == *span && !item.get_ref().is_table()) {
                let kept = items.clone().into_iter().enumerate().filter(|(place, _)| *place != index);
                *items = kept.map(|(_, item)| item).collect();
                return Some((path.item(index), None));
            }
            let mut items = items.iter_mut().enumerate();
            items.find_map(|(index, item)| take_inside(item.get_mut(), span, &path.item(index)))
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            None
        }
    }
}
