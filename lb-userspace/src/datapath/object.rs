//! The object file, and the addresses of tables in it.
//!
//! The datapath's tables are each the one value of a map. Programs refer to them by symbols that the object file does not
//! define: `modlb_table_` and the map's name. aya leaves such instructions alone, so the maps are written into them here: the
//! kernel then puts the address of the value in their place (`BPF_PSEUDO_MAP_VALUE`), and no lookup is left.

use std::{
    collections::HashMap,
    io,
    ops::{Deref, DerefMut},
    os::fd::{AsRawFd as _, OwnedFd},
    slice,
};

use aya::{Ebpf, EbpfLoader};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, read::elf::ElfFile64};

use super::{Error, Result, pins::Pins, sys::open_pin};

#[cfg(not(without_datapath))]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lb-ebpf"));
#[cfg(without_datapath)]
static OBJECT: &[u8] = &[];

#[cfg(not(without_datapath))]
static TRACED: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lb-ebpf-trace"));
#[cfg(without_datapath)]
static TRACED: &[u8] = &[];

/// What the symbols of tables start with; the rest is the name of the map.
const PREFIX: &str = "modlb_table_";

/// The opcode of an instruction that loads 64 bits, which stands for two instructions.
const LOAD: u8 = 0x18;

/// `BPF_PSEUDO_MAP_VALUE` in the place of the source register.
const MAP_VALUE: u8 = 2 << 4;

/// The programs, and the tables that they are loaded with.
#[derive(Debug)]
pub struct Programs {
    ebpf: Ebpf,
    /// Instructions name them by their descriptors until a program is loaded.
    _tables: HashMap<String, OwnedFd>,
}

impl Deref for Programs {
    type Target = Ebpf;

    fn deref(&self) -> &Ebpf {
        &self.ebpf
    }
}

impl DerefMut for Programs {
    fn deref_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

/// Reads the object file, for programs that use an instance's tables.
pub fn read(loader: &mut EbpfLoader<'_>, pins: &Pins) -> Result<Programs> {
    read_file(present(OBJECT)?, loader, pins)
}

/// Reads the object file of the programs that tell what happens to packets.
pub fn read_traced(loader: &mut EbpfLoader<'_>, pins: &Pins) -> Result<Programs> {
    read_file(present(TRACED)?, loader, pins)
}

fn read_file(file: &[u8], loader: &mut EbpfLoader<'_>, pins: &Pins) -> Result<Programs> {
    let mut bytes = Bytes::new(file);
    let tables = resolve(bytes.as_mut(), pins)?;
    Ok(Programs { ebpf: loader.load(bytes.as_mut())?, _tables: tables })
}

/// Reads the object file, for programs that use none.
pub fn read_without_tables(loader: &mut EbpfLoader<'_>) -> Result<Ebpf> {
    Ok(loader.load(present(OBJECT)?)?)
}

fn present(file: &'static [u8]) -> Result<&'static [u8]> {
    if file.is_empty() { Err(Error::WithoutDatapath) } else { Ok(file) }
}

/// A copy of the file, aligned as parsers want it.
struct Bytes {
    words: Vec<u64>,
    length: usize,
}

impl Bytes {
    fn new(file: &[u8]) -> Self {
        let mut bytes = Self { words: vec![0; file.len().div_ceil(8)], length: file.len() };
        bytes.as_mut().copy_from_slice(file);
        bytes
    }

    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as many words are there, and any bytes are words.
        unsafe { slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.length) }
    }
}

/// An instruction that refers to a table: where it stands in the file, and the name of the map.
struct Reference {
    offset: usize,
    name: String,
}

/// Writes the maps into all instructions that refer to tables. Returns what has to live until programs are loaded.
fn resolve(file: &mut [u8], pins: &Pins) -> Result<HashMap<String, OwnedFd>> {
    let references = references(file).map_err(Error::io("reading the datapath's object file"))?;
    let mut tables = HashMap::new();
    for Reference { offset, name } in references {
        if !tables.contains_key(&name) {
            let table = open_pin(&pins.map(&name)).map_err(Error::io(format!("opening the map {name}")))?;
            tables.insert(name.clone(), table);
        }
        let pair = &mut file[offset..offset + 16];
        // What is added to the table's start moves to where the kernel looks for it.
        pair.copy_within(4..8, 12);
        pair[1] = pair[1] & 0x0f | MAP_VALUE;
        pair[4..8].copy_from_slice(&tables[&name].as_raw_fd().to_le_bytes());
    }
    Ok(tables)
}

fn references(file: &[u8]) -> io::Result<Vec<Reference>> {
    let elf = ElfFile64::<object::LittleEndian>::parse(file).map_err(io::Error::other)?;
    let mut references = Vec::new();
    for section in elf.sections() {
        let Some((start, _)) = section.file_range() else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = elf.symbol_by_index(index).map_err(io::Error::other)?;
            let name = symbol.name().map_err(io::Error::other)?;
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            let offset = (start + offset) as usize;
            if file.get(offset) != Some(&LOAD) {
                return Err(io::Error::other(format!("what refers to {name} is no load of an address")));
            }
            references.push(Reference { offset, name: name.to_owned() });
        }
    }
    Ok(references)
}

#[cfg(all(test, not(without_datapath)))]
mod tests {
    use super::*;

    /// Whoever attaches needs nothing of what tracing needs, and has no instruction of it.
    #[test]
    fn the_programs_of_every_day_know_nothing_of_tracing() {
        let names = |file: &'static [u8]| -> Vec<String> {
            let elf = ElfFile64::<object::LittleEndian>::parse(file).unwrap();
            elf.symbols().map(|symbol| symbol.name().unwrap().to_owned()).collect()
        };
        let (ordinary, traced) = (names(OBJECT), names(TRACED));
        for name in ["EVENTS", "NOTES", "TOLD", "FILTER", "AYA_LOGS", "AYA_LOG_LEVEL", "trace_balancer", "log_balancer"]
        {
            assert!(traced.iter().any(|symbol| symbol == name), "{name}");
            assert!(ordinary.iter().all(|symbol| symbol != name), "{name}");
        }
    }
}
