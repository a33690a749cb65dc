//! The literal parts of a document: code, and the targets of links.

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
    // A span may go on in the next line of a paragraph.
    let mut is_open = false;
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
                is_open = !may_be_block && prose(line, text, is_open, &mut found);
            }
        }
    }
    found
}

/// Returns whether a span is open at the line's end: what is in several lines is not looked at.
fn prose<'a>(line: usize, text: &'a str, was_open: bool, found: &mut Vec<Literal<'a>>) -> bool {
    let mut add = |kind, text| found.push(Literal { line, kind, text });
    let parts: Vec<_> = text.split('`').collect();
    let last = parts.len() - 1;
    for (number, part) in parts.into_iter().enumerate() {
        let is_span = (number % 2 == 1) != was_open;
        let is_whole = number < last && (number > 0 || !was_open);
        if is_span && is_whole {
            add(Kind::Span, part);
        }
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')].into_iter().filter(|_| !is_span) {
            let links = part.match_indices(start).filter_map(|(at, _)| part[at + start.len()..].split_once(end));
            links.for_each(|(link, _)| add(Kind::Link, link));
        }
    }
    (last % 2 == 1) != was_open
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

    #[test]
    fn spans_of_several_lines_are_left_out() {
        let found = literals("a `b\nc` d `e`\n\nf ` g\n\n`h` [i](j)");
        assert_eq!(found.iter().map(|found| found.text).collect::<Vec<_>>(), ["e", "h", "j"]);
    }
}
