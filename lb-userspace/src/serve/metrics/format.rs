//! The text formats: OpenMetrics if the request asks for it, otherwise Prometheus' own.
//!
//! Trap: in OpenMetrics a counter's family is called `x` and its samples `x_total`; in the older format both are
//! `x_total`, and its readers (`promtool check metrics`) take a family `x` for an untyped metric without help.

use axum::http::HeaderValue;
use prometheus_client::{encoding::text, registry::Registry};

/// A text format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a request's `Accept` prefers.
    pub fn negotiate(accept: Option<&HeaderValue>) -> Self {
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Classic }
    }

    /// The Content-Type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text.
    pub fn encode(self, registry: &Registry) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, registry);
        match self {
            Self::Classic => classic(&text),
            Self::OpenMetrics => text,
        }
    }
}

/// OpenMetrics' text in the older format.
fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            continue;
        }
        // A family's help comes right before its type.
        let kind = if line.starts_with("# HELP ") { lines.peek().copied() } else { Some(line) };
        let counter = kind.is_some_and(|kind| kind.starts_with("# TYPE ") && kind.ends_with(" counter"));
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            [hash, what, name, rest] if counter => {
                out.extend([hash, " ", what, " ", name, "_total ", rest]);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_same_names_in_both_formats() {
        let open = "# HELP a_b Some help.\n# TYPE a_b counter\na_b_total{x=\"# TYPE y counter\"} 1\n# HELP c Help c\n# TYPE c gauge\nc 2\n# EOF\n";
        let expected = "# HELP a_b_total Some help.\n# TYPE a_b_total counter\na_b_total{x=\"# TYPE y counter\"} 1\n# HELP c Help c\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(open), expected);
    }

    #[test]
    fn the_format_follows_the_accept_header() {
        let wanted = |accept: &'static str| Format::negotiate(Some(&HeaderValue::from_static(accept)));
        assert_eq!(wanted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), Format::OpenMetrics);
        assert_eq!(wanted("text/plain"), Format::Classic);
        assert_eq!(Format::negotiate(None), Format::Classic);
    }
}
