//! An input that a target fails with.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use super::target::{CRATE, Target};

/// Says what was found, and what to do with it.
pub fn show(target: Target, input: &Path, why: &str) -> Result<()> {
    let bytes = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let name = target.name();
    println!("\nFINDING: {name} fails:\n\n{why}");
    println!("input, {} bytes: {}\n{}", bytes.len(), input.display(), dump(&bytes));
    println!("once more:\n  cargo xtask fuzz --repeat {}", input.display());
    println!("keep it, so that every test run tries it:\n  cp {} {CRATE}/regressions/{name}/NAME", input.display());
    Ok(())
}

/// Sixteen bytes to a line, and what can be read of them.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (number, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let readable: String =
            line.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        let _ = writeln!(text, "  {:04x}  {:<47}  {readable}", number * 16, hex.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_dump_shows_every_byte() {
        let bytes: Vec<u8> = (0x3c..0x4d).collect();
        let expected = "  0000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK\n  \
                        0010  4c                                               L\n";
        assert_eq!(super::dump(&bytes), expected);
    }
}
