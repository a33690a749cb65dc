//! Reads the object files, and writes tables and constants into their instructions.
//!
//! Each of the datapath's tables is the only value of a map. Programs refer to it by a symbol that the object file
//! leaves undefined: `modlb_table_` and the map's name. aya ignores these instructions. Here they get the map, and
//! the kernel turns that into the value's address (`BPF_PSEUDO_MAP_VALUE`), so that no lookup is left.
//!
//! Constants that are known when a program is loaded, such as the length of a table, are written in the same way. Their
//! symbols start with `modlb_constant_`.

use std::{
    collections::HashMap,
    io,
    ops::{Deref, DerefMut},
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    slice,
};

use aya::{Ebpf, EbpfLoader};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, read::elf::ElfFile64};

use crate::datapath::{
    error::{Error, Result},
    store::pins::Pins,
    sys::open_pin,
};

#[cfg(not(without_datapath))]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lb-ebpf"));
#[cfg(without_datapath)]
static OBJECT: &[u8] = &[];

#[cfg(not(without_datapath))]
static TRACED: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lb-ebpf-trace"));
#[cfg(without_datapath)]
static TRACED: &[u8] = &[];

/// The prefix of a table's symbol; the rest is the name of the map.
const TABLE: &str = "modlb_table_";

/// The prefix of a constant's symbol; the rest is its name.
const CONSTANT: &str = "modlb_constant_";

/// The opcode of a 64-bit load, which takes two instructions.
const LOAD: u8 = 0x18;

/// `BPF_PSEUDO_MAP_VALUE` in the source register's bits.
const MAP_VALUE: u8 = 2 << 4;

/// Programs, with the tables that they are loaded with.
#[derive(Debug)]
pub struct Programs {
    ebpf: Ebpf,
    /// Instructions refer to these file descriptors until a program is loaded.
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

/// Reads the object file of the regular programs, with an instance's tables.
pub fn read(loader: &mut EbpfLoader<'_>, pins: &Pins, numbers: &[(&str, u64)]) -> Result<Programs> {
    read_file(present(OBJECT)?, loader, pins, numbers)
}

/// The same for the traced programs.
pub fn read_traced(loader: &mut EbpfLoader<'_>, pins: &Pins, numbers: &[(&str, u64)]) -> Result<Programs> {
    read_file(present(TRACED)?, loader, pins, numbers)
}

fn read_file(file: &[u8], loader: &mut EbpfLoader<'_>, pins: &Pins, numbers: &[(&str, u64)]) -> Result<Programs> {
    let mut bytes = Bytes::new(file);
    let tables = resolve(bytes.as_mut(), pins, numbers)?;
    Ok(Programs { ebpf: loader.load(bytes.as_mut())?, _tables: tables })
}

/// Reads the object file for a program that uses no table.
pub fn read_without_tables(loader: &mut EbpfLoader<'_>) -> Result<Ebpf> {
    Ok(loader.load(present(OBJECT)?)?)
}

fn present(file: &'static [u8]) -> Result<&'static [u8]> {
    if file.is_empty() { Err(Error::WithoutDatapath) } else { Ok(file) }
}

/// A copy of the file, aligned for the parsers.
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
        // SAFETY: the words cover `length` bytes, and any bytes are valid words.
        unsafe { slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.length) }
    }
}

/// An instruction that refers to a table or constant: its offset in the file, and the symbol.
struct Reference {
    offset: usize,
    symbol: String,
}

/// Writes maps and constants into all instructions that refer to them. The returned descriptors must stay open until
/// the programs are loaded.
fn resolve(file: &mut [u8], pins: &Pins, numbers: &[(&str, u64)]) -> Result<HashMap<String, OwnedFd>> {
    const READING: &str = "reading the datapath's object file";
    let mut tables = HashMap::new();
    for Reference { offset, symbol } in references(file).map_err(Error::io(READING))? {
        let pair = &mut file[offset..offset + 16];
        if let Some(name) = symbol.strip_prefix(TABLE) {
            if !tables.contains_key(name) {
                let table = open_pin(&pins.map(name)).map_err(Error::io(format!("opening the map {name}")))?;
                tables.insert(name.to_owned(), table);
            }
            load_address(pair, tables[name].as_raw_fd());
        } else {
            let found = numbers.iter().find(|(name, _)| symbol.strip_prefix(CONSTANT) == Some(name));
            let unknown = || Error::io(READING)(io::Error::other(format!("no value for {symbol}")));
            load_number(pair, found.ok_or_else(unknown)?.1).map_err(Error::io(READING))?;
        }
    }
    Ok(tables)
}

/// Makes a pair of instructions load the address of a map's value. An offset moves to the second one, where the kernel
/// expects it.
fn load_address(pair: &mut [u8], map: RawFd) {
    pair.copy_within(4..8, 12);
    pair[1] = pair[1] & 0x0f | MAP_VALUE;
    pair[4..8].copy_from_slice(&map.to_le_bytes());
}

/// Makes it load a number, which cannot have an offset.
fn load_number(pair: &mut [u8], number: u64) -> io::Result<()> {
    if [4..8, 12..16].into_iter().any(|half| pair[half] != [0; 4]) {
        return Err(io::Error::other("a reference to a constant has an offset"));
    }
    let number = number.to_le_bytes();
    pair[4..8].copy_from_slice(&number[..4]);
    pair[12..16].copy_from_slice(&number[4..]);
    Ok(())
}

fn references(file: &[u8]) -> io::Result<Vec<Reference>> {
    let elf = ElfFile64::<object::LittleEndian>::parse(file).map_err(io::Error::other)?;
    let mut references = Vec::new();
    for section in elf.sections() {
        let Some((start, _)) = section.file_range() else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = elf.symbol_by_index(index).map_err(io::Error::other)?;
            let symbol = symbol.name().map_err(io::Error::other)?;
            if ![TABLE, CONSTANT].iter().any(|prefix| symbol.starts_with(prefix)) {
                continue;
            }
            let offset = (start + offset) as usize;
            if file.get(offset) != Some(&LOAD) {
                return Err(io::Error::other(format!("an instruction that refers to {symbol} is not a 64-bit load")));
            }
            references.push(Reference { offset, symbol: symbol.to_owned() });
        }
    }
    Ok(references)
}

#[cfg(all(test, not(without_datapath)))]
mod tests {
    use super::*;
    use crate::datapath::{
        capacities::Capacities,
        store::table::{DEVICES, Table},
        sys::{BPF_F_MMAPABLE, BPF_MAP_TYPE_ARRAY},
    };

    /// User space makes every map that the programs refer to, with the values that they know.
    #[test]
    fn maps_are_made_as_the_programs_know_them() {
        let mut bytes = Bytes::new(OBJECT);
        let mut maps = aya_obj::Object::parse(bytes.as_mut()).unwrap().maps;
        maps.retain(|name, _| !name.starts_with('.') && name != DEVICES);
        for Table { name, value_bytes, entries } in Table::all(&Capacities::default(), 2) {
            let map = maps.remove(name).unwrap();
            let known = (map.map_type(), map.key_size(), map.map_flags());
            assert_eq!(known, (BPF_MAP_TYPE_ARRAY, 4, BPF_F_MMAPABLE), "{name}");
            let value = map.value_size();
            // One with a single value may be a whole table.
            assert!(value_bytes == value || (entries == 1 && value_bytes.is_multiple_of(value)), "{name}: {value}");
        }
        assert!(maps.is_empty(), "nobody makes {:?}", maps.keys());
    }

    /// The regular object has no map, constant or program of tracing.
    #[test]
    fn the_regular_programs_know_nothing_of_tracing() {
        let names = |file: &'static [u8]| -> Vec<String> {
            let elf = ElfFile64::<object::LittleEndian>::parse(file).unwrap();
            elf.symbols().map(|symbol| symbol.name().unwrap().to_owned()).collect()
        };
        let (regular, traced) = (names(OBJECT), names(TRACED));
        for name in [
            "EVENTS",
            "SCRATCH",
            "TRACE_COUNTERS",
            "FILTER",
            "AYA_LOGS",
            "AYA_LOG_LEVEL",
            "trace_balancer",
            "log_balancer",
        ] {
            assert!(traced.iter().any(|symbol| symbol == name), "{name}");
            assert!(regular.iter().all(|symbol| symbol != name), "{name}");
        }
    }
}
