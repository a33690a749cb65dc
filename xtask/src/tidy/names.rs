//! Checks that documents explain every name in the tables of `lb-common`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{fault::Fault, tree::Tree};

/// A table, and the document that has all its names in backticks.
struct Table {
    file: &'static str,
    what: &'static str,
    document: &'static str,
}

const TABLES: [Table; 2] = [
    Table { file: "lb-common/src/outcome.rs", what: "outcome", document: "docs/OBSERVABILITY.md" },
    Table { file: "lb-common/src/flow.rs", what: "protocol", document: "docs/CONFIGURATION.md" },
];

/// Names that their document does not explain.
pub fn check(tree: &Tree) -> Vec<Fault> {
    TABLES.iter().flat_map(|table| of_table(tree, table)).collect()
}

fn of_table(tree: &Tree, table: &Table) -> Vec<Fault> {
    let names = names(tree.text(table.file));
    if names.is_empty() {
        let message = format!("no table of {}s is found here; mend xtask/src/tidy/names.rs", table.what);
        return vec![Fault::new(table.file, 1, message)];
    }
    let document = tree.text(table.document);
    let unknown = names.into_iter().filter(|(name, _)| !document.contains(&format!("`{name}`")));
    let fault = |(name, line)| {
        let (what, document) = (table.what, table.document);
        Fault::new(table.file, line, format!("{what} `{name}` is not in {document}; say there what it means"))
    };
    unknown.map(fault).collect()
}

/// The names in a file's tables, with their lines. A row starts with a word that has a capital letter, and the first
/// string right after it is its name, whatever else follows: `TCP = 6 "tcp" ports;`, `Local => { name: "local", … },`.
fn names(text: &str) -> Vec<(String, usize)> {
    let Ok(tokens) = text.parse::<TokenStream>() else { return Vec::new() };
    let mut flat = Vec::new();
    flatten(tokens, &mut flat);
    (0..flat.len()).filter(|number| starts_row(&flat, *number)).filter_map(|number| name(&flat[number + 1..])).collect()
}

/// The tokens of all groups one after the other, each group between two marks; no attributes, and so no documentation.
fn flatten(tokens: TokenStream, flat: &mut Vec<Token>) {
    let mut is_attribute = false;
    for token in tokens {
        let was_attribute = is_attribute;
        is_attribute = false;
        match token {
            TokenTree::Group(group) if was_attribute && group.delimiter() == Delimiter::Bracket => {
                flat.push(Token::Mark(';'));
            }
            TokenTree::Group(group) => {
                flat.push(Token::Mark('{'));
                flatten(group.stream(), flat);
                flat.push(Token::Mark('}'));
            }
            TokenTree::Punct(mark) if mark.as_char() == '#' => is_attribute = true,
            TokenTree::Punct(mark) => flat.push(Token::Mark(mark.as_char())),
            TokenTree::Ident(word) => flat.push(Token::Word(word.to_string())),
            TokenTree::Literal(literal) => flat.push(Token::Value(literal.to_string(), literal.span().start().line)),
        }
    }
}

enum Token {
    Word(String),
    Mark(char),
    Value(String, usize),
}

/// A word with a capital letter where something begins, and no path.
fn starts_row(flat: &[Token], number: usize) -> bool {
    let is_capital = matches!(&flat[number], Token::Word(word) if word.starts_with(char::is_uppercase));
    let begins = number.checked_sub(1).is_none_or(|before| matches!(flat[before], Token::Mark('{' | '}' | ',' | ';')));
    is_capital && begins && !matches!(flat.get(number + 1), Some(Token::Mark(':')))
}

/// The first string of a row, if it is a name.
fn name(rest: &[Token]) -> Option<(String, usize)> {
    /// `=`, `>`, `{`, `name`, `:`.
    const MOST_BEFORE: usize = 5;
    let (text, line) = rest.iter().take(MOST_BEFORE + 1).find_map(|token| match token {
        Token::Value(text, line) => Some((text.strip_prefix('"')?.strip_suffix('"')?, *line)),
        Token::Word(_) | Token::Mark(_) => None,
    })?;
    let fits = |character: char| character.is_ascii_lowercase() || "0123456789_-".contains(character);
    (!text.is_empty() && text.chars().all(fits)).then(|| (text.to_owned(), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "protocols! {\n    TCP = 6, \"tcp\", ports;\n    UDP_LITE = 136, \"udplite\", ports;\n}";
    const OUTCOME: &str = "macro_rules! outcomes { ($($v:ident = $n:literal,)+) => { \"No\" }; }\n\n\
                           outcomes! {\n    /// Sent \"on\".\n    Forwarded = \"forwarded\",\n    NoServer = \"no_server\",\n}\n\
                           impl A { const B: &str = \"b\"; }";

    fn faults(outcome: &str, observability: &str, configuration: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("lb-common/src/outcome.rs", outcome),
            ("lb-common/src/flow.rs", FLOW),
            ("docs/OBSERVABILITY.md", observability),
            ("docs/CONFIGURATION.md", configuration),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_without_a_word_in_their_document_are_faults() {
        assert_eq!(faults(OUTCOME, "`forwarded` and `no_server`", "`tcp`, `udplite`"), [""; 0]);
        assert_eq!(
            faults(OUTCOME, "forwarded, `no_server`", "`tcp`, `udp`"),
            [
                "lb-common/src/outcome.rs:5: outcome `forwarded` is not in docs/OBSERVABILITY.md; say there what it means",
                "lb-common/src/flow.rs:3: protocol `udplite` is not in docs/CONFIGURATION.md; say there what it means",
            ]
        );
    }

    #[test]
    fn tables_may_have_more_columns() {
        let names = |row: &str| {
            names(&format!("table! {{ /// It \"is\".\n{row}\n}}")).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        for row in [
            "A = \"a\", Tx, Forwarded, Debug, \"it goes on\"; B = \"b\", Pass, Passed, Info, \"Why it stays.\";",
            "A => { name: \"a\", action: Action::Tx, help: \"it goes on\" }, B => { name: \"b\", help: \"b, too\" },",
            "A = 6 \"a\" ports \"RFC 1.\"; B \"b\" Pass Passed untouched \"again: it\" info \"b\" [length];",
            "A(\"a\", \"it goes on\", level::DEBUG), B(\"b\", 4, \"again: it\"),",
        ] {
            assert_eq!(names(row), ["a", "b"], "{row}");
        }
    }

    #[test]
    fn tables_may_be_in_modules_and_macros_and_code_is_none() {
        let text = "mod a { macro_rules! all { ($m:ident) => { $m! { A \"a\" Tx \"on\"; B \"b\" Pass \"on\"; } } } }\n\
                    impl C { const D: &str = \"d\"; fn e(self) -> &str { match self { Self::A => \"f\", E::G => \"g\" } } }\n\
                    #[h = \"h\"]\nstruct I(u8);";
        assert_eq!(names(text), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    }

    #[test]
    fn a_table_that_is_gone_is_a_fault() {
        let faults = faults("pub enum Outcome { Forwarded }", "", "`tcp` `udplite`");
        assert_eq!(
            faults,
            ["lb-common/src/outcome.rs:1: no table of outcomes is found here; mend xtask/src/tidy/names.rs"]
        );
    }
}
