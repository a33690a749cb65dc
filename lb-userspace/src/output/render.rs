//! Rendering views as text.

use std::fmt::Display;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use lb_common::mac::Mac;
use serde::Serializer;

/// A view that can be shown as text.
pub trait Render {
    /// The text, without a line feed at its end.
    fn render(&self) -> String;
}

/// A table with these columns; those in `numbers` are aligned to the right. On a terminal it fits the width, elsewhere
/// every row is one line.
pub fn table(columns: &[&str], numbers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(Row::from(columns.to_vec()));
    for (name, column) in columns.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, 2));
        if numbers.contains(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The value, or a dash if it is missing.
pub fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn serialize_mac<S: Serializer>(mac: &Option<Mac>, serializer: S) -> Result<S::Ok, S::Error> {
    match mac {
        Some(mac) => serializer.collect_str(mac),
        None => serializer.serialize_none(),
    }
}
