//! Loads the programs of ABI 6, as its modlb did.

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    maps::MapData,
    programs::{SchedClassifier, Xdp},
};
use lb_common::abi::Instance;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, read::elf::ElfFile64};

use super::maps;

static OBJECT: &[u8] = include_bytes_aligned!("abi-6.o");

/// The number of outcomes' counters of each CPU.
pub const OUTCOMES: usize = 16;

/// What differs from interface to interface.
pub struct Constants {
    pub interface: u32,
    pub mac: [u8; 6],
    pub group: u64,
}

/// A MAC as the datapath stores it.
pub fn wide(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}

/// Loads the program of this name with the maps of an instance.
pub fn load(pins: &Path, instance: &Instance, constants: &Constants, name: &str) -> Ebpf {
    let counters = u64::from((3 * instance.servers).next_multiple_of(16));
    let bytes = |name: &str| maps::size(&pins.join(name)).0;
    // Longer than that version made it, as there is room for more keys now. The program takes any power of two.
    let cells = bytes("CELLS") as u64 / (2 * 64);
    assert!(cells.is_power_of_two(), "the table of services");
    let cpus = bytes("OUTCOMES") / (16 * OUTCOMES);
    assert_eq!(bytes("COUNTERS"), cpus * counters as usize * 16, "the counters");
    let numbers = HashMap::from([
        ("INTERFACE_MAC", wide(constants.mac)),
        ("CELL_SHIFT", u64::from(64 - cells.ilog2())),
        ("CELLS", cells),
        ("SLOTS", 2 * u64::from(instance.slots)),
        ("COUNTERS", counters),
        ("ALL_COUNTERS", cpus as u64 * counters),
        ("ALL_OUTCOMES", (cpus * OUTCOMES) as u64),
    ]);
    let mut file = OBJECT.to_vec();
    let tables = resolve(&mut file, pins, &numbers);
    let mut loader = EbpfLoader::new();
    loader.override_global("INTERFACE", &constants.interface, true);
    loader.override_global("GROUP_MAC", &constants.group, true);
    for map in ["PREFIXES", "REMOTES", "DEVICES", "INSTANCE", "HALVES", "SERVICES", "SERVERS", "RETIRED", "HELD"] {
        let pin = pins.join(map);
        loader.map_max_entries(map, maps::size(&pin).1 as u32).map_pin_path(map, pin);
    }
    let mut ebpf = loader.load(&file).unwrap();
    // While the maps that instructions refer to are open.
    let program = ebpf.program_mut(name).unwrap();
    if let Ok(xdp) = <&mut Xdp>::try_from(&mut *program) {
        xdp.load().unwrap();
    } else {
        <&mut SchedClassifier>::try_from(program).unwrap().load().unwrap();
    }
    drop(tables);
    ebpf
}

/// Writes maps and constants into the instructions that refer to them.
fn resolve(file: &mut [u8], pins: &Path, numbers: &HashMap<&str, u64>) -> HashMap<String, MapData> {
    let (mut tables, mut references) = (HashMap::new(), Vec::new());
    let elf = ElfFile64::<object::LittleEndian>::parse(&*file).unwrap();
    for section in elf.sections() {
        let Some((start, _)) = section.file_range() else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = elf.symbol_by_index(index).unwrap().name().unwrap().to_owned();
            references.push(((start + offset) as usize, symbol));
        }
    }
    for (offset, symbol) in references {
        let pair = &mut file[offset..];
        if let Some(name) = symbol.strip_prefix("modlb_table_") {
            let map = tables.entry(name.to_owned()).or_insert_with(|| MapData::from_pin(pins.join(name)).unwrap());
            pair.copy_within(4..8, 12);
            pair[1] = pair[1] & 0x0f | 2 << 4;
            pair[4..8].copy_from_slice(&map.fd().as_fd().as_raw_fd().to_le_bytes());
        } else if let Some(name) = symbol.strip_prefix("modlb_constant_") {
            let number = numbers[name].to_le_bytes();
            pair[4..8].copy_from_slice(&number[..4]);
            pair[12..16].copy_from_slice(&number[4..]);
        }
    }
    tables
}
