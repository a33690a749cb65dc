//! The digest of what a proof is about: the instructions of some programs and of all functions that they call.
//!
//! Not that of the object file: it holds the paths of the sources and the order of functions, which differ from one
//! directory to the next. Also part of the build script of `lb-userspace`, so that it has one home.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionKind, SymbolKind,
    read::elf::ElfFile64,
};
use sha2::{Digest as _, Sha256};

/// The programs of which something is proven.
pub const PROVEN_PROGRAMS: [&str; 2] = ["balancer", "balancer_frags"];

/// A load of 64 bits takes the place of two instructions.
const WIDE: u8 = 0x18;
const CALL: u8 = 0x85;
/// In the source register's bits: a call of a function of the program.
const FUNCTION: u8 = 1 << 4;

/// The code of an object file.
#[derive(Default)]
struct Code {
    instructions: Vec<[u8; 8]>,
    /// By the number of an instruction: the first one of the function that it calls, or the symbol that it loads.
    calls: BTreeMap<usize, usize>,
    symbols: BTreeMap<usize, String>,
    /// Where functions and sections start.
    starts: Vec<usize>,
}

/// The digest of these programs, in hexadecimal.
pub fn digest(file: &[u8], programs: &[&str]) -> Result<String> {
    let elf = ElfFile64::<LittleEndian>::parse(file).context("this is no object file")?;
    let (code, functions) = read(&elf)?;
    let mut hash = Sha256::new();
    for program in programs {
        let first = functions.get(*program).with_context(|| format!("no program {program}"))?;
        // Functions are numbered as calls of them are met.
        let mut met = vec![*first];
        let mut turn = 0;
        while let Some(&function) = met.get(turn) {
            hash.update(format!("function {turn} of {program}\n"));
            add_function(&code, function, &mut met, &mut hash);
            turn += 1;
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_function(code: &Code, first: usize, met: &mut Vec<usize>, hash: &mut Sha256) {
    let end = code.starts.iter().copied().filter(|start| *start > first).min().unwrap_or(code.instructions.len());
    for number in first..end {
        let mut bytes = code.instructions[number];
        if let Some(&target) = code.calls.get(&number) {
            let place = met.iter().position(|function| *function == target).unwrap_or_else(|| {
                met.push(target);
                met.len() - 1
            });
            bytes[4..].copy_from_slice(&(place as u32).to_le_bytes());
        }
        hash.update(bytes);
        if let Some(symbol) = code.symbols.get(&number) {
            hash.update(format!("symbol {symbol}\n"));
        }
    }
}

fn read(elf: &ElfFile64<'_, LittleEndian>) -> Result<(Code, BTreeMap<String, usize>)> {
    let (mut code, mut homes) = (Code::default(), BTreeMap::new());
    for section in elf.sections().filter(|section| section.kind() == SectionKind::Text && section.size() > 0) {
        homes.insert(section.index().0, code.instructions.len());
        code.starts.push(code.instructions.len());
        let instructions = section.data()?.chunks_exact(8);
        code.instructions.extend(instructions.map(|bytes| std::array::from_fn::<u8, 8, _>(|byte| bytes[byte])));
    }
    let mut functions = BTreeMap::new();
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        if let Some(home) = symbol.section_index().and_then(|home| homes.get(&home.0)) {
            let start = home + symbol.address() as usize / 8;
            code.starts.push(start);
            functions.insert(symbol.name()?.to_owned(), start);
        }
    }
    for (number, bytes) in code.instructions.iter().enumerate() {
        if bytes[0] == CALL && bytes[1] & 0xf0 == FUNCTION {
            code.calls.insert(number, (number as i64 + 1 + immediate(bytes)) as usize);
        }
    }
    for section in elf.sections() {
        let Some(&home) = homes.get(&section.index().0) else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { bail!("a relocation of no symbol") };
            let (symbol, number) = (elf.symbol_by_index(index)?, home + offset as usize / 8);
            let bytes = code.instructions.get(number).context("a relocation beyond the code")?;
            let to = symbol.section_index().and_then(|home| homes.get(&home.0));
            if let (CALL, Some(to)) = (bytes[0], to) {
                let target = *to as i64 + symbol.address() as i64 / 8 + immediate(bytes) + 1;
                code.calls.insert(number, target as usize);
            } else if bytes[0] == WIDE {
                code.symbols.insert(number, symbol.name()?.to_owned());
            } else {
                bail!("a relocation of an instruction that is neither a call nor a load");
            }
        }
    }
    Ok((code, functions))
}

fn immediate(bytes: &[u8; 8]) -> i64 {
    i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]).into()
}
