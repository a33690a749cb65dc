//! Broken connections, change by change.

/// The longest bar, in characters.
const WIDTH: usize = 30;

/// What a change broke, in the order of [`super::lists::Side::BOTH`].
pub struct Row {
    pub what: String,
    pub broken: [usize; 2],
}

/// Prints the rows with bars.
pub fn print(names: [&str; 2], rows: &[Row]) {
    let most = rows.iter().flat_map(|row| row.broken).max().unwrap_or_default().max(1);
    let width = rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
    println!("  {:<width$}  {:<bar$} {}", "broken connections", names[0], names[1], bar = WIDTH + 6);
    for Row { what, broken } in rows {
        let [without, with] = broken.map(|count| format!("{} {count}", "█".repeat((count * WIDTH).div_ceil(most))));
        println!("  {what:<width$}  {without:<bar$} {with}", bar = WIDTH + 6);
    }
}
