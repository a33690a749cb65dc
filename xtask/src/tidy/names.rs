//! What a table in `lb-common` names, a document explains.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

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

/// The names in a file's tables, with their lines. A table is what a macro is called with; its rows start with a capital
/// letter, and the first string of each is its name, whatever columns follow.
fn names(text: &str) -> Vec<(String, usize)> {
    let Ok(tokens) = text.parse::<TokenStream>() else { return Vec::new() };
    let tokens: Vec<_> = tokens.into_iter().collect();
    let tables = tokens.windows(3).filter_map(|tokens| match tokens {
        [TokenTree::Ident(_), TokenTree::Punct(mark), TokenTree::Group(table)] if mark.as_char() == '!' => Some(table),
        _ => None,
    });
    tables.flat_map(rows).collect()
}

fn rows(table: &Group) -> Vec<(String, usize)> {
    let mut names = Vec::new();
    let mut is_row = false;
    add_rows(table.stream(), &mut is_row, &mut names);
    names
}

fn add_rows(tokens: TokenStream, is_row: &mut bool, names: &mut Vec<(String, usize)>) {
    let mut is_attribute = false;
    for token in tokens {
        match &token {
            TokenTree::Ident(word) if word.to_string().starts_with(char::is_uppercase) => *is_row = true,
            TokenTree::Literal(literal) if *is_row => {
                let text = literal.to_string();
                if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    *is_row = false;
                    let is_name =
                        |character: char| character.is_ascii_lowercase() || "0123456789_-".contains(character);
                    if !text.is_empty() && text.chars().all(is_name) {
                        names.push((text.to_owned(), literal.span().start().line));
                    }
                }
            }
            // A comment for documentation is an attribute with a string.
            TokenTree::Group(group) if is_attribute && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => add_rows(group.stream(), is_row, names),
            TokenTree::Ident(_) | TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
        is_attribute = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '#');
    }
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
            "A(\"a\", \"it goes on\", level::DEBUG), B(\"b\", 4, \"again: it\"),",
        ] {
            assert_eq!(names(row), ["a", "b"], "{row}");
        }
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
