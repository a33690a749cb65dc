//! The object file: its sections' instructions one after the other, with tables, numbers and functions by their
//! symbols.
//!
//! Nothing is resolved that user space fills in only when it loads a program: such an instruction keeps its symbol.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    rc::Rc,
};

use anyhow::{Context as _, Result, bail, ensure};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionIndex,
    SectionKind, SymbolKind, elf, read::elf::ElfFile64,
};

use crate::insn::{Insn, Operation};

/// All functions of an object file.
#[derive(Clone, Debug)]
pub struct Image {
    pub code: Vec<Insn>,
    /// The first instruction of each.
    functions: BTreeMap<String, usize>,
    /// The first instruction of each section, and where in the file it is.
    sections: Vec<(usize, u64)>,
}

impl Image {
    /// Reads an object file.
    pub fn read(file: &[u8]) -> Result<Self> {
        let elf = ElfFile64::<LittleEndian>::parse(file).context("this is no object file of a BPF program")?;
        let (mut code, mut starts, mut sections) = (Vec::new(), BTreeMap::new(), Vec::new());
        for section in elf.sections().filter(|section| section.kind() == SectionKind::Text && section.size() > 0) {
            starts.insert(section.index().0, code.len());
            let (offset, _) = section.file_range().context("a section of code is not in the file")?;
            sections.push((code.len(), offset));
            decode(section.name()?, section.data()?, &mut code)?;
        }
        let mut image = Self { code, functions: BTreeMap::new(), sections };
        for section in elf.sections() {
            let Some(&start) = starts.get(&section.index().0) else { continue };
            for (offset, relocation) in section.relocations() {
                let RelocationTarget::Symbol(index) = relocation.target() else { bail!("a relocation of no symbol") };
                let symbol = elf.symbol_by_index(index)?;
                let home = symbol.section_index().and_then(|SectionIndex(home)| starts.get(&home));
                image.relocate(start + offset as usize / 8, relocation.flags(), &symbol, home.copied())?;
            }
        }
        image.call_targets()?;
        for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            if let Some(start) = symbol.section_index().and_then(|home| starts.get(&home.0)) {
                image.functions.insert(symbol.name()?.to_owned(), start + symbol.address() as usize / 8);
            }
        }
        Ok(image)
    }

    /// The same with a program that hands every packet to its general path: the bit that says standby, which it looks
    /// at first, is always set where it looks.
    pub fn without_fast_path(&self, entry: usize) -> Result<Self> {
        const STANDBY: i32 = 2;
        const AND: u8 = 0x57;
        const OR: u8 = 0x47;
        const JUMP_IF_NOT: u8 = 0x55;
        let mut image = self.clone();
        let looks = |number: &usize| {
            let [and, jump] = [number, &(number + 1)].map(|number| &self.code[*number]);
            (and.code, and.imm, jump.code, jump.imm) == (AND, STANDBY, JUMP_IF_NOT, 0) && and.dst == jump.dst
        };
        let number = self.body(entry).find(looks).context("the program does not look whether it is on standby")?;
        image.code[number].code = OR;
        Ok(image)
    }

    fn relocate<'data>(
        &mut self,
        number: usize,
        flags: RelocationFlags,
        symbol: &impl object::ObjectSymbol<'data>,
        home: Option<usize>,
    ) -> Result<()> {
        let name = symbol.name()?;
        let insn = self.code.get_mut(number).with_context(|| format!("{name} is referred to beyond the code"))?;
        match flags {
            RelocationFlags::Elf { r_type: elf::R_BPF_64_64 } if insn.is_wide() => {
                ensure!(insn.wide_constant() == 0, "{insn} adds to the address of {name}");
                insn.symbol = Some(name.into());
            }
            RelocationFlags::Elf { r_type: elf::R_BPF_64_32 } if insn.is_function_call() => {
                let home = home.with_context(|| format!("{insn} calls {name}, which is not there"))?;
                let target = home as i64 + symbol.address() as i64 / 8 + i64::from(insn.imm) + 1;
                insn.target = Some(usize::try_from(target)?);
            }
            _ => bail!("{insn}: its relocation to {name} is not known"),
        }
        Ok(())
    }

    /// Calls within a section have no relocation.
    fn call_targets(&mut self) -> Result<()> {
        for (number, insn) in self.code.iter_mut().enumerate() {
            if insn.is_function_call() && insn.target.is_none() {
                insn.target = Some(usize::try_from(number as i64 + 1 + i64::from(insn.imm))?);
            }
        }
        Ok(())
    }

    /// Where in the file an instruction is.
    pub fn offset(&self, number: usize) -> usize {
        let section = self.sections.iter().rfind(|(first, _)| *first <= number);
        section.map_or(0, |(first, offset)| *offset as usize + 8 * (number - first))
    }

    /// A function's first instruction.
    pub fn function(&self, name: &str) -> Result<usize> {
        self.functions.get(name).copied().with_context(|| format!("the object has no function {name}"))
    }

    /// The one function that the function `name` calls and that has `part` in its name.
    pub fn called(&self, name: &str, part: &str) -> Result<usize> {
        let body = self.body(self.function(name)?);
        let mut found: Vec<_> = self.code[body].iter().filter_map(|insn| insn.target).collect();
        found.retain(|target| self.name_at(*target).contains(part));
        found.sort_unstable();
        found.dedup();
        let [one] = found[..] else { bail!("{name} calls {} functions called {part}", found.len()) };
        Ok(one)
    }

    /// The function that starts there, and all that it calls, and they.
    pub fn reached(&self, first: usize) -> BTreeSet<usize> {
        self.reached_but(first, |_| false)
    }

    /// The same without those that stand apart, and what only they call.
    pub fn reached_but(&self, first: usize, is_apart: impl Fn(usize) -> bool) -> BTreeSet<usize> {
        let (mut found, mut work) = (BTreeSet::new(), vec![first]);
        while let Some(first) = work.pop() {
            if found.insert(first) {
                let called = self.code[self.body(first)].iter().filter_map(|insn| insn.target);
                work.extend(called.filter(|target| !is_apart(*target)));
            }
        }
        found
    }

    /// The instructions of the function that starts there.
    pub fn body(&self, first: usize) -> std::ops::Range<usize> {
        let end = self.functions.values().copied().filter(|start| *start > first).min();
        let section = |number: usize| self.code[number].place.rsplit_once(':').map(|(section, _)| section.to_owned());
        let last = (first..self.code.len()).find(|number| section(*number) != section(first));
        first..end.unwrap_or(self.code.len()).min(last.unwrap_or(self.code.len()))
    }

    /// Instructions from which one can be reached, by calls as well, and itself.
    pub fn leading_to(&self, number: usize) -> HashSet<usize> {
        let mut found = HashSet::from([number]);
        loop {
            let before = found.len();
            for (from, insn) in self.code.iter().enumerate().rev() {
                let behind = from + if insn.is_wide() { 2 } else { 1 };
                let target = (from + 1).wrapping_add_signed(insn.off.into());
                let leads = match insn.operation() {
                    Ok(Operation::Exit) => false,
                    Ok(Operation::Goto) => found.contains(&target),
                    Ok(Operation::Jump { .. }) => found.contains(&target) || found.contains(&behind),
                    _ => found.contains(&behind) || insn.target.is_some_and(|first| found.contains(&first)),
                };
                if leads {
                    found.insert(from);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// How many instructions of a function are among these, and how many it has.
    pub fn coverage(&self, first: usize, reached: &HashSet<usize>) -> (usize, usize) {
        let body = self.body(first);
        let (mut all, mut number, mut found) = (0, body.start, 0);
        while number < body.end {
            all += 1;
            found += usize::from(reached.contains(&number));
            number += if self.code[number].is_wide() { 2 } else { 1 };
        }
        (found, all)
    }

    pub fn name_at(&self, first: usize) -> &str {
        self.functions.iter().find(|(_, start)| **start == first).map_or("", |(name, _)| name)
    }
}

fn decode(section: &str, data: &[u8], code: &mut Vec<Insn>) -> Result<()> {
    ensure!(data.len().is_multiple_of(8), "section {section} is no list of instructions");
    let first = code.len();
    for (number, bytes) in data.chunks_exact(8).enumerate() {
        let place: Rc<str> = format!("{section}:{number}").into();
        code.push(Insn {
            code: bytes[0],
            dst: bytes[1] & 15,
            src: bytes[1] >> 4,
            off: i16::from_le_bytes([bytes[2], bytes[3]]),
            imm: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            upper: 0,
            symbol: None,
            target: None,
            place,
        });
    }
    for number in first..code.len() - 1 {
        if code[number].is_wide() {
            code[number].upper = code[number + 1].imm;
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An object of these instructions.
    pub fn image(instructions: &[[u8; 8]]) -> Image {
        let mut code = Vec::new();
        decode("here", instructions.as_flattened(), &mut code).unwrap();
        Image { code, functions: BTreeMap::new(), sections: vec![(0, 0)] }
    }

    /// The same with functions that start there.
    pub fn named(mut image: Image, functions: &[(&str, usize)]) -> Image {
        image.functions = functions.iter().map(|(name, first)| ((*name).to_owned(), *first)).collect();
        image
    }

    /// The same with an instruction that loads the address of a symbol.
    pub fn symbol(mut image: Image, number: usize, name: &str) -> Image {
        image.code[number].symbol = Some(name.into());
        image
    }

    /// A call of a function.
    pub const fn call() -> [u8; 8] {
        [0x85, 0x10, 0, 0, 0, 0, 0, 0]
    }

    #[test]
    fn a_call_leads_into_its_function() {
        const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
        let mut program = image(&[call(), EXIT, EXIT, EXIT]);
        program.code[0].target = Some(2);
        assert_eq!(program.leading_to(2), HashSet::from([0, 2]));
        assert_eq!(program.leading_to(1), HashSet::from([0, 1]));
        assert_eq!(program.leading_to(3), HashSet::from([3]));
    }
}
