//! Rules for the names of interfaces.

use std::collections::HashMap;

use crate::config::report::{Report, second_time};

/// The longest name of an interface, in bytes. (Alternative names may be longer; modlb does not take those.)
const MAX_NAME_BYTES: usize = 15;

/// Reports every problem with `interfaces`.
pub(super) fn check(interfaces: &[String], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for (index, name) in interfaces.iter().enumerate() {
        let problem = match impossible(name) {
            Some(why) if name.is_empty() => Some(format!("a name is {why}")),
            Some(why) => Some(format!("{name:?} {why}")),
            None => second_time(&mut seen, name).then(|| format!("{name} listed twice")),
        };
        if let Some(problem) = problem {
            report.add_item("interfaces", index, format_args!("interfaces: {problem}"));
        }
    }
}

/// Why no interface can have this name (`dev_valid_name` in Linux).
fn impossible(name: &str) -> Option<String> {
    let bad = |c: char| c.is_ascii_whitespace() || c == '\x0b' || matches!(c, '/' | ':' | '%' | '\0');
    match name {
        "" => Some("empty".to_owned()),
        "." | ".." => Some("cannot be an interface's name".to_owned()),
        name if name.len() > MAX_NAME_BYTES => {
            Some(format!("has {} bytes; an interface's name has at most {MAX_NAME_BYTES}", name.len()))
        }
        name => name.chars().find(|c| bad(*c)).map(|c| format!("has {c:?}, which no interface's name can have")),
    }
}

#[cfg(test)]
mod tests {
    use super::impossible;

    #[test]
    fn names_that_no_interface_can_have() {
        for name in ["", ".", "..", "a b", "a/b", "eth0:1", "eth%d", "a\tb", "a\u{b}b", &"n".repeat(16)] {
            assert!(impossible(name).is_some(), "{name:?}");
        }
        for name in ["eth0", "eth0.100", "enp1s0f0", "wan-é", "a..b", &"n".repeat(15)] {
            assert_eq!(impossible(name), None, "{name:?}");
        }
    }
}
