//! The tables of the programs: how long each is, as user space makes it.

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
    /// Whether its first half and its second are in force in turn, as bit 0 of the control word says.
    pub has_halves: bool,
}

const fn table(name: &'static str, entry: u64, length: Length) -> Table {
    Table { name, entry, length, has_halves: false }
}

const fn halved(name: &'static str, entry: u64, length: Length) -> Table {
    Table { has_halves: true, ..table(name, entry, length) }
}

/// Those that programs address themselves; docs/ARCHITECTURE.md says what they hold. Which slots are whose is said by
/// cells, and which next hop by a slot: that those are of the same half is user space's doing.
pub const ALL: [Table; 8] = [
    table("CONTROL", 8, Length::Entries(1)),
    halved("CELLS", 64, Length::Number("CELLS", 2)),
    halved("FILTERS", 64 + 8_192, Length::Entries(4)),
    halved("PREFIXES", 136, Length::Entries(4)),
    table("SLOTS", 8, Length::Number("SLOTS", 1)),
    table("COUNTERS", 16, Length::Number("ALL_COUNTERS", 1)),
    table("TALLIES", 4, Length::Number("ALL_COUNTERS", 1)),
    table("OUTCOMES", 16, Length::Number("ALL_OUTCOMES", 1)),
];

/// That in which they look entries up.
const REMOTES: Table = table("REMOTES", 24, Length::Number("COUNTERS", 2));

/// A number that is read as a table is.
const GROUP_MAC: Table = table("GROUP_MAC", 8, Length::Entries(1));

/// The table with this name.
pub fn of(name: &str) -> Option<Table> {
    ALL.into_iter().chain([REMOTES, GROUP_MAC]).find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{GLOBALS, LOOKED_UP};

    #[test]
    fn entries_that_are_looked_up_have_one_size() {
        assert_eq!(LOOKED_UP, [(REMOTES.name, REMOTES.entry)]);
        assert_eq!(GLOBALS, [GROUP_MAC.name]);
    }
}
