//! The tables that programs address themselves: how long each is, as user space makes it.

/// How many entries a table has.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    Entries(u64),
    /// As many as this number that user space fills in says, times a factor.
    Number(&'static str, u64),
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// The bytes of an entry.
    pub entry: u64,
    pub length: Length,
}

/// All of them; docs/ARCHITECTURE.md says what they hold.
pub const ALL: [Table; 8] = [
    Table { name: "CONTROL", entry: 8, length: Length::Entries(1) },
    Table { name: "CELLS", entry: 64, length: Length::Number("CELLS", 2) },
    Table { name: "FILTERS", entry: 64 + 8_192, length: Length::Entries(4) },
    Table { name: "PREFIXES", entry: 136, length: Length::Entries(4) },
    Table { name: "SLOTS", entry: 8, length: Length::Number("SLOTS", 1) },
    Table { name: "COUNTERS", entry: 16, length: Length::Number("ALL_COUNTERS", 1) },
    Table { name: "TALLIES", entry: 4, length: Length::Number("ALL_COUNTERS", 1) },
    Table { name: "OUTCOMES", entry: 16, length: Length::Number("ALL_OUTCOMES", 1) },
];
