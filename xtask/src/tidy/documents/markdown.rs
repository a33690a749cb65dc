//! What of a document is to be taken literally: code, and where links lead.

use std::ops::ControlFlow;

/// A piece of it, and its line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Literal<'a> {
    pub line: usize,
    pub kind: Kind,
    pub text: &'a str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Between backticks.
    Span,
    /// A line of a block.
    Block,
    /// Where a link or a picture is.
    Link,
}

/// All of them.
pub fn literals(document: &str) -> Vec<Literal<'_>> {
    let mut found = Vec::new();
    let mut fence = None;
    let mut may_be_block = true;
    for (number, text) in document.lines().enumerate() {
        let line = number + 1;
        let start = text.trim_start();
        let marks = start.len() - start.trim_start_matches(['`', '~']).len();
        match fence {
            Some(end) if marks >= end => fence = None,
            Some(_) => found.push(Literal { line, kind: Kind::Block, text }),
            None if marks >= 3 => fence = Some(marks),
            // Four columns after an empty line, and below another line of the block.
            None if text.starts_with("    ") && may_be_block => found.push(Literal { line, kind: Kind::Block, text }),
            None => {
                may_be_block = text.trim().is_empty();
                prose(line, text, &mut found);
            }
        }
    }
    found
}

fn prose<'a>(line: usize, text: &'a str, found: &mut Vec<Literal<'a>>) {
    let mut add = |kind, text| found.push(Literal { line, kind, text });
    let mut parts = text.split('`');
    let mut between = parts.next();
    while let Some(prose) = between {
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')] {
            let _ =
                prose.match_indices(start).try_for_each(|(at, _)| match prose[at + start.len()..].split_once(end) {
                    Some((link, _)) => {
                        add(Kind::Link, link);
                        ControlFlow::Continue(())
                    }
                    None => ControlFlow::Break(()),
                });
        }
        if let Some(span) = parts.next() {
            add(Kind::Span, span);
        }
        between = parts.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_blocks_and_links_are_found() {
        let document = "# A `b` c [`d`](e.md#f) [g](h)\n    not a block\n\n    block `one`\n    two\n\n- item\n    more `i`\n\n\
                        ```toml\nfenced\n```\n<img src=\"j.png\">\n";
        let found: Vec<_> = literals(document).iter().map(|found| (found.line, found.kind, found.text)).collect();
        assert_eq!(
            found,
            [
                (1, Kind::Span, "b"),
                (1, Kind::Span, "d"),
                (1, Kind::Link, "e.md#f"),
                (1, Kind::Link, "h"),
                (4, Kind::Block, "    block `one`"),
                (5, Kind::Block, "    two"),
                (8, Kind::Span, "i"),
                (11, Kind::Block, "fenced"),
                (13, Kind::Link, "j.png"),
            ]
        );
    }
}
