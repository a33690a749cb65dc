//! What a Rust file declares and refers to: modules, imports and paths.
//!
//! It reads tokens, not syntax, so macros' arguments and bodies are read like everything else. Comments, strings and
//! code that only tests compile are left out.

use std::{collections::BTreeMap, slice};

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// What was read. A scope is the way to a module that is written out within the file; empty: the file itself.
#[derive(Debug, Default)]
pub struct Source {
    /// Modules that are files.
    pub modules: Vec<Declared>,
    /// Modules that are written out, and the directories that `#[path = "…"]` gives them for modules that are files.
    pub inline: BTreeMap<Vec<String>, Option<String>>,
    /// All paths, in the file's order.
    pub paths: Vec<Named>,
}

/// `mod name;`
#[derive(Debug, Eq, PartialEq)]
pub struct Declared {
    pub scope: Vec<String>,
    pub name: String,
    /// What `#[path = "…"]` says.
    pub path: Option<String>,
}

/// `use a::b as c;`, or `a::b::c` in any place.
#[derive(Debug, Eq, PartialEq)]
pub struct Named {
    pub scope: Vec<String>,
    pub segments: Vec<String>,
    /// How an import is called from now on; `None`: not an import, so that the last segment is an item.
    pub alias: Option<String>,
    pub line: usize,
}

/// Reads a file.
pub fn read(text: &str) -> Result<Source> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut source = Source::default();
    source.walk(tokens, &[]);
    Ok(source)
}

type Tokens<'a> = slice::Iter<'a, TokenTree>;

impl Source {
    fn walk(&mut self, tokens: TokenStream, scope: &[String]) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = tokens.iter();
        let mut path = None;
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    let Some(attribute) = attribute(&mut rest) else { continue };
                    if is_test(attribute) {
                        skip_item(&mut rest);
                    }
                    path = path_attribute(attribute).or(path);
                    self.walk(attribute.stream(), scope);
                }
                TokenTree::Ident(word) if word == "mod" => self.module(&mut rest, scope, path.take()),
                TokenTree::Ident(word) if word == "use" && !is_mark(rest.as_slice().first(), '<') => {
                    let from = Named { scope: scope.to_vec(), segments: Vec::new(), alias: None, line: 0 };
                    self.import(&mut rest, &from);
                    path = None;
                }
                TokenTree::Ident(word) if word == "pub" => skip_visibility(&mut rest),
                TokenTree::Ident(word) => {
                    let line = word.span().start().line;
                    let segments = segments(text(word), &mut rest);
                    if segments.len() > 1 {
                        self.paths.push(Named { scope: scope.to_vec(), segments, alias: None, line });
                    }
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint => {
                    // `::a::b` is of another crate, and `<T>::a` of a type.
                    rest.next();
                    skip_path(&mut rest);
                }
                TokenTree::Group(group) => self.walk(group.stream(), scope),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn module(&mut self, rest: &mut Tokens<'_>, scope: &[String], path: Option<String>) {
        let Some(TokenTree::Ident(name)) = rest.next() else { return };
        let name = text(name);
        match rest.next() {
            Some(TokenTree::Group(body)) => {
                let inner: Vec<_> = scope.iter().cloned().chain([name]).collect();
                self.walk(body.stream(), &inner);
                self.inline.insert(inner, path);
            }
            _ => self.modules.push(Declared { scope: scope.to_vec(), name, path }),
        }
    }

    /// The rest of an import, or one branch of it.
    fn import(&mut self, rest: &mut Tokens<'_>, from: &Named) {
        let mut here =
            Named { scope: from.scope.clone(), segments: from.segments.clone(), alias: None, line: from.line };
        let mut alias = None;
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    if let Some(TokenTree::Ident(name)) = rest.next() {
                        alias = Some(text(name));
                    }
                }
                TokenTree::Ident(word) => {
                    here.line = word.span().start().line;
                    here.segments.push(text(word));
                }
                TokenTree::Group(group) => {
                    let branches: Vec<_> = group.stream().into_iter().collect();
                    for branch in branches.split(|token| is_mark(Some(token), ',')).filter(|branch| !branch.is_empty())
                    {
                        self.import(&mut branch.iter(), &here);
                    }
                    here.segments.clear();
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => break,
                TokenTree::Punct(mark) if mark.as_char() == ':' && here.segments.is_empty() => {
                    // `use ::a` is of another crate.
                    here.segments.push(String::new());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        // `a::{self}` is called `a`.
        if here.segments.len() > 1 && here.segments.last().is_some_and(|last| last == "self") {
            here.segments.pop();
        }
        if let Some(last) = here.segments.last() {
            here.alias = Some(alias.unwrap_or_else(|| last.clone()));
            self.paths.push(here);
        }
    }
}

/// Its name, without `r#`.
fn text(word: &proc_macro2::Ident) -> String {
    word.to_string().trim_start_matches("r#").to_owned()
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == mark)
}

/// What comes after `#` or `#!`, if it is an attribute.
fn attribute<'a>(rest: &mut Tokens<'a>) -> Option<&'a Group> {
    if is_mark(rest.as_slice().first(), '!') {
        rest.next();
    }
    match rest.as_slice().first() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            rest.next();
            Some(group)
        }
        _ => None,
    }
}

/// `cfg(test)`, or `cfg(all(test, …))`.
fn is_test(attribute: &Group) -> bool {
    let words = attribute.stream().to_string().replace(' ', "");
    words == "cfg(test)" || words.starts_with("cfg(all(test,")
}

/// The file in `path = "…"`.
fn path_attribute(attribute: &Group) -> Option<String> {
    let tokens: Vec<_> = attribute.stream().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(word), _, TokenTree::Literal(file)] if word == "path" => {
            Some(file.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

/// An item ends with a body, with `;`, or, in a list, with `,`.
fn skip_item(rest: &mut Tokens<'_>) {
    for token in rest.by_ref() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(mark) if [';', ','].contains(&mark.as_char()) => return,
            TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `(crate)` and `(in crate::a)` import nothing.
fn skip_visibility(rest: &mut Tokens<'_>) {
    if let Some(TokenTree::Group(group)) = rest.as_slice().first()
        && group.delimiter() == Delimiter::Parenthesis
    {
        let words: Vec<_> = group.stream().into_iter().collect();
        let is_in = matches!(words.first(), Some(TokenTree::Ident(word)) if word == "in");
        if words.len() == 1 || is_in {
            rest.next();
        }
    }
}

/// All of `a::b::c` from its first word on.
fn segments(first: String, rest: &mut Tokens<'_>) -> Vec<String> {
    let mut segments = vec![first];
    while let [TokenTree::Punct(one), TokenTree::Punct(other), TokenTree::Ident(word), ..] = rest.as_slice() {
        if one.as_char() != ':' || other.as_char() != ':' {
            break;
        }
        segments.push(text(word));
        *rest = rest.as_slice()[3..].iter();
    }
    segments
}

fn skip_path(rest: &mut Tokens<'_>) {
    if let Some(TokenTree::Ident(word)) = rest.as_slice().first() {
        rest.next();
        segments(text(word), rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(code: &str) -> Vec<String> {
        let named = read(code).unwrap().paths;
        named.iter().map(|named| format!("{} {}", named.line, named.segments.join("::"))).collect()
    }

    #[test]
    fn branches_of_an_import_are_written_out() {
        let code = "use super::{a, b::{self, c as d},\n e::*};\nuse self::f;";
        assert_eq!(paths(code), ["1 super::a", "1 super::b", "1 super::b::c", "2 super::e", "3 self::f"]);
        let aliases: Vec<_> = read(code).unwrap().paths.into_iter().filter_map(|named| named.alias).collect();
        assert_eq!(aliases, ["a", "b", "d", "e", "f"]);
    }

    #[test]
    fn paths_are_found_in_types_macros_and_attributes() {
        let code = "fn f(x: &crate::a::B) -> impl Sized + use<> { println!(\"{}\", super::c::d::<u8>()) }\n\
                    #[arg(value_parser = e::f)]\nmacro_rules! m { () => { $crate::g::h } }";
        assert_eq!(paths(code), ["1 crate::a::B", "1 super::c::d", "2 e::f", "3 crate::g::h"]);
    }

    #[test]
    fn comments_strings_visibility_and_other_crates_name_nothing() {
        let code = "// crate::a::b\n/// [`crate::a::b`]\nconst A: &str = \"crate::a::b\";\n\
                    pub(in crate::a) fn f() { ::std::mem::take(x); <T>::f() }\npub(crate) use std::fmt;";
        assert_eq!(paths(code), ["5 std::fmt"]);
    }

    #[test]
    fn what_only_tests_compile_names_nothing() {
        let code = "#[cfg(test)]\nuse a::b;\n#[cfg(test)] #[allow(x)] mod tests { use super::*; }\n#[cfg(test)]\nmod more;\n\
                    impl A { #[cfg(test)] fn f() { c::d() } fn g() { e::f() } }";
        let source = read(code).unwrap();
        assert_eq!(source.modules, []);
        assert_eq!(paths(code), ["6 e::f"]);
    }

    #[test]
    fn modules_are_found_where_they_are_declared() {
        let source = read("mod a;\n#[path = \"f\"] mod b { mod c; }\n#[path = \"../d.rs\"]\nmod e;").unwrap();
        let declared = |scope: &[&str], name: &str, path: Option<&str>| Declared {
            scope: scope.iter().map(ToString::to_string).collect(),
            name: name.to_owned(),
            path: path.map(str::to_owned),
        };
        assert_eq!(
            source.modules,
            [declared(&[], "a", None), declared(&["b"], "c", None), declared(&[], "e", Some("../d.rs"))]
        );
        assert_eq!(source.inline, BTreeMap::from([(vec!["b".to_owned()], Some("f".to_owned()))]));
    }
}
