//! Checks that decisions have a status and a date, and are in the table of decisions.

use crate::tidy::{fault::Fault, tree::Tree};

const DIRECTORY: &str = "docs/decisions/";
const TABLE: &str = "docs/decisions/README.md";

/// Pages without, and pages that are not in the table as they are.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let pages = tree.ending(".md").filter(|(name, _)| name.starts_with(DIRECTORY) && *name != TABLE);
    pages.flat_map(|(name, text)| of_page(name, text, tree.text(TABLE))).collect()
}

fn of_page(name: &str, text: &str, table: &str) -> Vec<Fault> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).unwrap_or_default();
    let (status, date) = (value("Status:"), value("Date:"));
    let mut faults = Vec::new();
    if status != "accepted" && !status.starts_with("superseded by ") {
        faults.push(Fault::new(name, 3, "no line `Status: accepted` or `Status: superseded by NUMBER`; add one"));
    }
    if date.len() != "2026-11-24".len() || !date.chars().all(|digit| digit.is_ascii_digit() || digit == '-') {
        faults.push(Fault::new(name, 4, "no line `Date: YEAR-MONTH-DAY`; add one"));
    }
    let link = format!("({})", name.trim_start_matches(DIRECTORY));
    let row = table.lines().find(|line| line.contains(&link)).unwrap_or_default();
    let is_in_table = [status, date].iter().all(|column| row.contains(&format!("| {column} |")));
    if faults.is_empty() && !is_in_table {
        faults.push(Fault::new(TABLE, 1, format!("no row with {link}, `{status}` and `{date}`; add one or mend it")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# 1. A\n\nStatus: accepted\nDate: 2026-11-24\n";
    const TABLE_OF_ONE: &str = "| 1 | [A](1-a.md) | accepted | 2026-11-24 |";

    fn faults(page: &str, table: &str) -> Vec<String> {
        let tree = Tree::of(&[("docs/decisions/1-a.md", page), (TABLE, table)]);
        check(&tree).iter().map(|fault| format!("{}:{}", fault.file, fault.line)).collect()
    }

    #[test]
    fn pages_say_what_their_table_says() {
        assert_eq!(faults(PAGE, TABLE_OF_ONE), [""; 0]);
        for (page, table, fault) in [
            (PAGE.replace("Status", "State"), TABLE_OF_ONE, "docs/decisions/1-a.md:3"),
            (PAGE.replace("accepted", "decided"), TABLE_OF_ONE, "docs/decisions/1-a.md:3"),
            (PAGE.replace("2026-11-24", "today"), TABLE_OF_ONE, "docs/decisions/1-a.md:4"),
            (PAGE.to_owned(), "", "docs/decisions/README.md:1"),
            (PAGE.replace("11-24", "11-25"), TABLE_OF_ONE, "docs/decisions/README.md:1"),
            (PAGE.replace("accepted", "superseded by 2"), TABLE_OF_ONE, "docs/decisions/README.md:1"),
        ] {
            assert_eq!(faults(&page, table), [fault]);
        }
    }
}
