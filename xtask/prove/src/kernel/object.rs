//! The object file as the loader takes it: with the instructions of an image, tables and numbers put in.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::{
    image::Image,
    symbolic::{CONSTANT, TABLE},
};

/// `BPF_PSEUDO_MAP_VALUE`: a load of 64 bits loads the address of the value of a map.
const MAP_VALUE: u8 = 2;

/// The file with what the image's instructions are now. `tables` are file descriptors by name. What refers to another
/// table is left alone: it is in programs that are not loaded.
pub fn with(
    file: &[u8],
    image: &Image,
    numbers: &BTreeMap<String, u64>,
    tables: &BTreeMap<&str, i32>,
) -> Result<Vec<u8>> {
    let mut changed = file.to_vec();
    let mut number = 0;
    while let Some(insn) = image.code.get(number) {
        let mut insn = insn.clone();
        if let Some(name) = insn.symbol.as_deref() {
            let table = name.strip_prefix(TABLE).and_then(|name| tables.get(name));
            let value = name.strip_prefix(CONSTANT).and_then(|name| numbers.get(name));
            if let Some(table) = table {
                (insn.src, insn.imm, insn.upper) = (MAP_VALUE, *table, 0);
            } else if let Some(value) = value {
                (insn.imm, insn.upper) = (*value as i32, (*value >> 32) as i32);
            }
        }
        let at = image.offset(number);
        let place = changed.get_mut(at..at + 16 * usize::from(insn.is_wide()) + 8 * usize::from(!insn.is_wide()));
        let place = place.with_context(|| format!("{insn} is beyond the file"))?;
        place[..8].copy_from_slice(&insn.bytes());
        if insn.is_wide() {
            place[8..12].fill(0);
            place[12..].copy_from_slice(&insn.upper.to_le_bytes());
        }
        number += place.len() / 8;
    }
    Ok(changed)
}
