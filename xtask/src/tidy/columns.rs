//! Comments of at most 120 columns: rustfmt keeps code to that, but leaves comments alone.

use super::{fault::Fault, tree::Tree};

const MOST: usize = 120;

/// Lines with a comment that goes on beyond the last column.
pub fn check(tree: &Tree) -> Vec<Fault> {
    tree.ending(".rs").flat_map(|(name, text)| of_file(name, text)).collect()
}

fn of_file(name: &str, text: &str) -> Vec<Fault> {
    let lines = ends_in_comment(text);
    let long = text.lines().zip(lines).enumerate().filter_map(|(number, (line, is_comment))| {
        let columns = line.chars().count();
        let message = || format!("a comment of {columns} columns; break it at {MOST}");
        (is_comment && columns > MOST).then(|| Fault::new(name, number + 1, message()))
    });
    long.collect()
}

/// What the reader of a text is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Code,
    LineComment,
    /// Comments of this kind may hold others.
    BlockComment(u32),
    /// A string; of raw ones so many `#` end it.
    Text(Option<usize>),
}

/// For each line, whether its end is in a comment.
fn ends_in_comment(text: &str) -> Vec<bool> {
    let mut lines = Vec::new();
    let mut state = State::Code;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if character == '\n' {
            lines.push(matches!(state, State::LineComment | State::BlockComment(_)));
            if state == State::LineComment {
                state = State::Code;
            }
        }
        let (next, length) = step(state, rest, character);
        // No step passes over the end of a line.
        let length = rest[..length].find('\n').map_or(length, |end| end.max(1));
        state = next;
        rest = &rest[length..];
    }
    lines.push(matches!(state, State::LineComment | State::BlockComment(_)));
    lines
}

/// The next state, and how many bytes lead to it.
fn step(state: State, rest: &str, character: char) -> (State, usize) {
    let one = character.len_utf8();
    match state {
        State::Code if rest.starts_with("//") => (State::LineComment, 2),
        State::Code if rest.starts_with("/*") => (State::BlockComment(1), 2),
        State::Code if character == '"' => (State::Text(None), 1),
        State::Code if character == 'r' => match raw_string(rest) {
            Some(marks) => (State::Text(Some(marks)), marks + 2),
            None => (state, 1),
        },
        State::Code if character == '\'' => (state, quoted(rest)),
        State::BlockComment(depth) if rest.starts_with("/*") => (State::BlockComment(depth + 1), 2),
        State::BlockComment(depth) if rest.starts_with("*/") => {
            (if depth == 1 { State::Code } else { State::BlockComment(depth - 1) }, 2)
        }
        State::Text(None) if character == '\\' => (state, 1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
        State::Text(None) if character == '"' => (State::Code, 1),
        State::Text(Some(marks)) if character == '"' && rest[1..].starts_with(&"#".repeat(marks)) => {
            (State::Code, 1 + marks)
        }
        State::Code | State::LineComment | State::BlockComment(_) | State::Text(_) => (state, one),
    }
}

/// How many `#` a raw string has that starts here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest[1..].trim_start_matches('#');
    after.starts_with('"').then(|| rest.len() - 1 - after.len())
}

/// The length of a character, `'"'` or `'\''`; 1 for what is the start of a lifetime.
fn quoted(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => characters.next().filter(|(_, end)| *end == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&Tree::of(&[("a.rs", text)])).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn long_comments_are_faults_by_characters() {
        let fits = format!("// {}", "ä".repeat(117));
        let long = format!("// {}", "ä".repeat(118));
        assert_eq!(lines(&format!("{fits}\n{long}\n    {fits}\n/*\n{long}*/ let a = 1;\n")), [2, 3]);
        assert_eq!(lines(&format!("/* {{\n{long} */\nlet a = 'x'; {long}\n/* /* */\n{long}")), [3, 5]);
    }

    #[test]
    fn what_looks_like_a_comment_in_code_is_none() {
        let long = "x".repeat(120);
        for code in [
            format!("let a = \"// {long}\";"),
            format!("let a = r#\"\"// {long}\"#;"),
            format!("let a = \"\\\"// {long}\";"),
            format!("let a = ('\"', b'\\'', '\\\\', \"// {long}\");"),
            format!("fn a<'a>(b: &'a str) {{ c(\"// {long}\") }}"),
            format!("/// short\nlet {long}_{long} = 1;"),
        ] {
            assert_eq!(lines(&code), [0; 0], "{code}");
            assert_eq!(lines(&format!("{code} // then one")), [code.lines().count()], "{code}");
        }
    }
}
