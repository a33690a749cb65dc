//! Puts previous lists of services into a text, or takes them out. Every other byte stays as it is.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::model::PreviousServer;

const KEY: &str = "previous";

/// A valid text with these previous lists: for each service, in the order of the text, its lists, which may be none;
/// `None`: what it has stays.
pub fn with_previous(text: &str, lists: &[Option<Vec<Vec<PreviousServer>>>]) -> String {
    let document = DeTable::parse(text);
    let services = document.as_ref().ok().and_then(|table| table.get_ref().get("service")?.get_ref().as_array());
    let edits = services.into_iter().flatten().zip(lists).filter_map(|(service, lists)| {
        let lists = lists.as_ref()?;
        edit(text, service, lists)
    });
    let mut edited = text.to_owned();
    // From the end, so that what is before an edit stays where it is.
    for (range, new) in edits.collect::<Vec<_>>().into_iter().rev() {
        edited.replace_range(range, &new);
    }
    edited
}

/// What to replace, and by what.
fn edit(text: &str, service: &Spanned<DeValue<'_>>, lists: &[Vec<PreviousServer>]) -> Option<(Range<usize>, String)> {
    let table = service.get_ref().as_table()?;
    let inline = text[service.span().start..].starts_with('{');
    match table.get_key_value(KEY) {
        None if lists.is_empty() => None,
        None => {
            let last = last_scalar(table)?;
            let lists = array(lists, (!inline).then(|| indentation(text, last)), newline(text));
            if inline {
                return Some((last..last, format!(", {KEY} = {lists}")));
            }
            let end = line_end(text, last);
            Some((end..end, format!("{}{}{KEY} = {lists}", newline(text), indentation(text, last))))
        }
        Some((key, value)) if lists.is_empty() => {
            let range = key.span().start..value.span().end;
            Some((if inline { with_comma(text, range) } else { whole_lines(text, range) }, String::new()))
        }
        Some((key, value)) => {
            let indentation = (!inline).then(|| indentation(text, key.span().start));
            Some((value.span(), array(lists, indentation, newline(text))))
        }
    }
}

/// Where the last value ends that is neither a list nor a table. Keys of a service come before its tables.
fn last_scalar(table: &DeTable<'_>) -> Option<usize> {
    let is_scalar = |value: &DeValue<'_>| !value.is_array() && !value.is_table();
    table.values().filter(|value| is_scalar(value.get_ref())).map(|value| value.span().end).max()
}

/// The lists as TOML. With an indentation, several have a line each.
fn array(lists: &[Vec<PreviousServer>], indentation: Option<&str>, newline: &str) -> String {
    let list = |list: &Vec<PreviousServer>| {
        let servers: Vec<_> = list.iter().map(|server| format!("\"{server}\"")).collect();
        format!("[{}]", servers.join(", "))
    };
    let lists: Vec<_> = lists.iter().map(list).collect();
    match indentation {
        Some(indentation) if lists.len() > 1 => {
            let lines: String = lists.iter().map(|list| format!("{newline}{indentation}    {list},")).collect();
            format!("[{lines}{newline}{indentation}]")
        }
        Some(_) | None => format!("[{}]", lists.join(", ")),
    }
}

/// How lines of a text end.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The white space that starts the line around an offset.
fn indentation(text: &str, offset: usize) -> &str {
    let line = &text[line_start(text, offset)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |end| end + 1)
}

/// Where the line around an offset ends, without its line feed.
fn line_end(text: &str, offset: usize) -> usize {
    let rest = &text[offset..];
    let line = rest.split('\n').next().unwrap_or(rest);
    offset + line.trim_end_matches('\r').len()
}

/// The lines of a key of a table, which it has for itself.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let end = text[range.end..].find('\n').map_or(text.len(), |end| range.end + end + 1);
    line_start(text, range.start)..end
}

/// A key of an inline table, with a comma beside it.
fn with_comma(text: &str, range: Range<usize>) -> Range<usize> {
    let after = text[range.end..].trim_start();
    match after.strip_prefix(',') {
        Some(rest) => range.start..text.len() - rest.trim_start_matches([' ', '\t']).len(),
        None => {
            let before = text[..range.start].trim_end();
            before.strip_suffix(',').unwrap_or(before).len()..range.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    fn lists(lists: &[&[&str]]) -> Vec<Vec<PreviousServer>> {
        lists.iter().map(|list| list.iter().map(|server| server.parse().unwrap()).collect()).collect()
    }

    /// Puts lists into the services of a text, and takes them out again.
    fn assert_spliced(text: &str, new: &[Option<Vec<Vec<PreviousServer>>>], expected: &str) {
        let spliced = with_previous(text, new);
        assert_eq!(spliced, expected);
        let config = parse(&spliced).unwrap();
        for (service, lists) in config.services.iter().zip(new) {
            assert!(lists.as_ref().is_none_or(|lists| *lists == service.previous), "{spliced}");
        }
        let ended = with_previous(&spliced, &vec![Some(Vec::new()); config.services.len()]);
        assert_eq!(ended, with_previous(text, &vec![Some(Vec::new()); config.services.len()]));
    }

    const TWO: &str = "\
# Of the whole.
[[service]] # web
  name = \"web\"   # its name
  # Where it is.
  address = \"203.0.113.10\"
  [service.check]
  kind = \"icmp\"
  [[service.server]]
  address = \"10.0.0.11\" # the first

# Another one.
[[service]]
address = \"203.0.113.11\"
name = \"dns\"
# The end.";

    #[test]
    fn everything_else_stays() {
        let one = lists(&[&["10.0.0.1", "10.0.0.2 down"]]);
        let two = lists(&[&["10.0.0.1"], &["10.0.0.2 weight 2"]]);
        let web = "address = \"203.0.113.10\"\n";
        let with_web = format!("{web}  previous = [[\"10.0.0.1\", \"10.0.0.2 down\"]]\n");
        assert_spliced(TWO, &[Some(one.clone()), None], &TWO.replace(web, &with_web));
        let dns = "name = \"dns\"\n";
        let with_dns = format!("{dns}previous = [\n    [\"10.0.0.1\"],\n    [\"10.0.0.2 weight 2\"],\n]\n");
        assert_spliced(TWO, &[None, Some(two.clone())], &TWO.replace(dns, &with_dns));
        let both = TWO.replace(web, &with_web).replace(dns, &with_dns);
        assert_spliced(TWO, &[Some(one), Some(two)], &both);
        assert_spliced(TWO, &[None, None], TWO);
        assert_spliced(TWO, &[Some(Vec::new()), Some(Vec::new())], TWO);
    }

    #[test]
    fn lists_are_replaced_where_they_are() {
        let text = "[[service]]\nname = \"web\"\nprevious = [ # why\n  [\"10.0.0.1\"],\n] # until Friday\naddress = \"203.0.113.10\"\n";
        let expected =
            "[[service]]\nname = \"web\"\nprevious = [[\"10.0.0.2\"]] # until Friday\naddress = \"203.0.113.10\"\n";
        assert_spliced(text, &[Some(lists(&[&["10.0.0.2"]]))], expected);
        let without = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n";
        assert_spliced(text, &[Some(Vec::new())], without);
    }

    #[test]
    fn inline_tables_stay_inline() {
        let text = "service = [{ name = \"web\", server = [], address = \"203.0.113.10\" }, {name=\"dns\",address=\"203.0.113.11\"}]";
        let new = lists(&[&["10.0.0.1"], &["10.0.0.2"]]);
        let expected = "service = [{ name = \"web\", server = [], address = \"203.0.113.10\", previous = [[\"10.0.0.1\"], [\"10.0.0.2\"]] }, {name=\"dns\",address=\"203.0.113.11\"}]";
        assert_spliced(text, &[Some(new), None], expected);
        let first = "service = [{ previous = [[\"10.0.0.1\"]], name = \"web\", address = \"203.0.113.10\" }]";
        let without = "service = [{ name = \"web\", address = \"203.0.113.10\" }]";
        assert_spliced(first, &[Some(Vec::new())], without);
    }

    #[test]
    fn lines_end_as_in_the_text() {
        let text = "[[service]]\r\nname = \"web\"\r\naddress = \"203.0.113.10\"\r\n# end\r\n";
        let new = lists(&[&["10.0.0.1"], &["10.0.0.2"]]);
        let previous = "previous = [\r\n    [\"10.0.0.1\"],\r\n    [\"10.0.0.2\"],\r\n]\r\n";
        assert_spliced(text, &[Some(new)], &text.replace("# end", &format!("{previous}# end")));
        // A last line without an end.
        let text = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"";
        let expected = format!("{text}\nprevious = [[\"10.0.0.1\"]]");
        assert_eq!(with_previous(text, &[Some(lists(&[&["10.0.0.1"]]))]), expected);
    }
}
