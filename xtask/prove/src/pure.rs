//! Whether a function writes nothing and looks at nothing but its arguments and tables: what a contract says of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};

use crate::{
    contracts::{CPU, LENGTH, LOOK_UP, LOOKED_UP},
    image::Image,
    insn::{Insn, Operation},
    symbolic::{CONSTANT, TABLE},
};

/// The register that points to a function's stack.
const STACK: u8 = 10;

/// The tables that a function and all that it calls may read, by the names of regions. An error: an instruction may do
/// more than read them.
///
/// Memory is safe and nothing without a value is read, which the kernel's verifier sees to.
pub fn tables(image: &Image, first: usize) -> Result<BTreeSet<String>> {
    let (mut tables, mut done, mut work) = (BTreeSet::new(), BTreeSet::new(), vec![first]);
    while let Some(function) = work.pop() {
        if !done.insert(function) {
            continue;
        }
        let body = image.body(function);
        let mut number = body.start;
        while number < body.end {
            let insn = &image.code[number];
            match insn.operation()? {
                Operation::Store { .. } if insn.dst != STACK => {
                    bail!("{insn} may store elsewhere than to its function's stack")
                }
                Operation::CallHelper if ![LOOK_UP, LENGTH, CPU].contains(&insn.imm) => bail!("{insn} calls a helper"),
                Operation::CallFunction => work.push(insn.target.with_context(|| format!("{insn} calls nothing"))?),
                Operation::LoadConstant => tables.extend(table(insn)?),
                _ => {}
            }
            number += if insn.is_wide() { 2 } else { 1 };
        }
    }
    Ok(tables)
}

/// The table or map whose address it loads.
fn table(insn: &Insn) -> Result<Option<String>> {
    let Some(symbol) = insn.symbol.as_deref() else { return Ok(None) };
    if symbol.starts_with(CONSTANT) {
        return Ok(None);
    }
    let map = LOOKED_UP.iter().map(|(map, _)| *map).find(|map| *map == symbol);
    match symbol.strip_prefix(TABLE).or(map) {
        Some(table) => Ok(Some(table.to_owned())),
        None => bail!("{insn} is handed the address of what is no table"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::{call, image, symbol};

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    const TO_STACK: [u8; 8] = [0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0];
    const ELSEWHERE: [u8; 8] = [0x7b, 0x21, 0, 0, 0, 0, 0, 0];
    const WIDE: [u8; 8] = [0x18, 1, 0, 0, 0, 0, 0, 0];

    #[test]
    fn the_own_stack_is_nothing_to_others() {
        assert!(tables(&image(&[TO_STACK, EXIT]), 0).unwrap().is_empty());
        let elsewhere = tables(&image(&[ELSEWHERE, EXIT]), 0).unwrap_err();
        assert!(elsewhere.to_string().contains("may store elsewhere"), "{elsewhere}");
    }

    #[test]
    fn what_it_calls_counts_as_well() {
        let mut caller = image(&[call(), EXIT, ELSEWHERE, EXIT]);
        caller.code[0].target = Some(2);
        assert!(tables(&caller, 0).is_err());
        let helper = image(&[[0x85, 0, 0, 0, 51, 0, 0, 0], EXIT]);
        assert!(tables(&helper, 0).unwrap_err().to_string().contains("calls a helper"));
    }

    #[test]
    fn tables_are_known_by_their_symbols() {
        let read = |name: &str| tables(&symbol(image(&[WIDE, [0; 8], EXIT]), 0, name), 0);
        assert_eq!(read("modlb_table_CELLS").unwrap(), BTreeSet::from(["CELLS".to_owned()]));
        assert_eq!(read("REMOTES").unwrap(), BTreeSet::from(["REMOTES".to_owned()]));
        assert!(read("modlb_constant_CELLS").unwrap().is_empty());
        assert!(read("GROUP_MAC").is_err());
    }
}
