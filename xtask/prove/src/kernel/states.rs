//! Random tables, control words and numbers that user space fills in. Small tables, so that most packets meet
//! something: a table of a few cells, full of services for the addresses that frames have.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::frames::{self, CLIENTS, PROTOCOLS, Service};
use crate::{programs::Kind, random::Random, world::Numbers};

/// The kind of a key that names a peer.
const PEER: u32 = 11;
/// How many sets of peers there are, and indices of interfaces.
const PEER_SETS: u64 = 3;
/// The flag of a service whose servers are behind one interface.
const EXIT: u32 = 1 << 6;

/// The counters of each CPU.
const COUNTERS: u64 = 32;
const OUTCOMES: u64 = 32;

/// What a program is loaded with. `cpus` is how many CPUs the machine has.
pub fn numbers(random: &mut Random, cpus: u64, kind: Kind) -> Numbers {
    let bits = random.pick(&[1_u64, 2, 4]);
    let mac = random.next() >> 16 & !1;
    let numbers = [
        ("INTERFACE_MAC", mac),
        ("INTERFACE", random.pick(&[1, 2])),
        ("CELL_SHIFT", 64 - bits),
        ("CELLS", 1 << bits),
        ("SLOTS", random.pick(&[64, 512])),
        ("COUNTERS", COUNTERS),
        ("ALL_COUNTERS", cpus * COUNTERS),
        ("ALL_OUTCOMES", cpus * OUTCOMES),
        ("CPUS", cpus),
        ("SENT_ISN", 0),
    ];
    Numbers {
        kind,
        // The loopback interface, which is there.
        devices: BTreeSet::from([1]),
        numbers: numbers.map(|(name, number)| (name.to_owned(), number)).into(),
        ..Numbers::default()
    }
}

/// Another frame, another CPU and other tables.
pub fn fill(random: &mut Random, world: &mut Numbers, cpus: u64, splits: bool) {
    let own = world.numbers["INTERFACE_MAC"].to_le_bytes();
    let service = Service::any(random);
    world.frame = frames::frame(random, [own[0], own[1], own[2], own[3], own[4], own[5]], service);
    world.whole_length = world.frame.len() as u64;
    if world.kind == Kind::Buffers && splits && random.chance(30) {
        let rest = world.frame.len() as u64 - 14;
        world.frame.truncate(14 + random.below(rest + 1) as usize);
        world.frame.truncate(14.max(world.frame.len()));
        world.whole_length = world.frame.len() as u64 + random.pick(&[0, 1, 40, 1400]);
    }
    world.cpu = random.below(cpus);
    let source = world.frame.get(6..12).map_or_else(Vec::new, <[u8]>::to_vec);
    let mut tables = Filled::default();
    let cells = 2 * world.numbers["CELLS"];
    let empty = random.pick(&[5, 20, 80]);
    // Now and then one kind of key, which is rarely met among others.
    let kind = random.chance(40).then(|| random.pick(&[2, 3, 4, 5, 6, 7, 8]));
    for cell in 0..cells {
        if !random.chance(empty) {
            tables.put("CELLS", 64 * cell, &cell_bytes(random, service, &source, kind));
        }
    }
    for slot in 0..world.numbers["SLOTS"] {
        tables.put("SLOTS", 8 * slot, &slot_bytes(random));
    }
    for counter in 0..cpus * COUNTERS {
        tables.put("TALLIES", 4 * counter, &tally(random).to_le_bytes());
        tables.put("COUNTERS", 16 * counter, &random.bytes(16));
    }
    for counter in 0..cpus * OUTCOMES {
        tables.put("OUTCOMES", 16 * counter, &random.bytes(16));
    }
    for hop in 0..2 * COUNTERS {
        tables.put("REMOTES", 24 * hop, &next_hop(random));
    }
    for half in 0..2 {
        for (family, lengths) in [[120, 96 + 8], [64, 32]].into_iter().enumerate() {
            let at = 136 * (2 * half + family as u64);
            tables.put("PREFIXES", at, &[2, 0, 0, 0]);
            tables.put("PREFIXES", at + 4, &lengths);
            tables.put("PREFIXES", at + 132, &random.bytes(4));
        }
    }
    for half in 0..2 {
        filters(random, &mut tables, service, half);
    }
    let standby = if random.chance(5) { 2 } else { 0 };
    let any = random.next();
    let mut others = random.pick(&[0, 0, OTHERS, any]);
    if let Some(kind) = kind.filter(|_| random.chance(60)) {
        others = of_kind(kind);
    }
    let control = random.next() & !(2 | OTHERS) | others & OTHERS | standby;
    tables.put("CONTROL", 0, &control.to_le_bytes());
    world.tables = tables.0;
}

/// The bits of the control word that say which kinds of services are in use besides those with a port, and each one's.
const OTHERS: u64 = 0x1c;

const fn of_kind(kind: u32) -> u64 {
    match kind {
        2 => 4,
        3 => 8,
        5..=8 => 16,
        _ => 0,
    }
}

/// Filters of a half that let this service's address through, or not.
fn filters(random: &mut Random, tables: &mut Filled, service: Service, half: u64) {
    const SIZE: u64 = 64 + 8_192;
    let at = SIZE * (2 * half + u64::from(service.six));
    let mut start = frames::address(service.six, service.last);
    start.resize(8, 0);
    let start = u64::from_be_bytes(std::array::from_fn(|byte| start[byte]));
    let skip = random.pick(&[0, 0, 8, 48]);
    let block = start << skip >> 48;
    tables.put("FILTERS", at + 16, &u64::to_le_bytes(skip));
    tables.put("FILTERS", at + 24, &random.next().to_le_bytes());
    if random.chance(80) {
        tables.put("FILTERS", at + 64 + block / 64 * 8, &[0xff; 8]);
    }
}

#[derive(Default)]
struct Filled(BTreeMap<(Rc<str>, u64), u8>);

impl Filled {
    fn put(&mut self, table: &str, at: u64, bytes: &[u8]) {
        let table: Rc<str> = table.into();
        self.0.extend((at..).zip(bytes).map(|(at, byte)| ((table.clone(), at), *byte)));
    }
}

/// Any kind of key for an address of a frame, with a service behind it.
fn cell_bytes(random: &mut Random, service: Service, source: &[u8], kind: Option<u32>) -> Vec<u8> {
    let Service { six, last, protocol, port } = if random.chance(80) { service } else { Service::any(random) };
    let any = random.pick(&[1_u32, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
    let kind = kind.unwrap_or(any);
    let protocol = match kind {
        3 | 7 | 9 | PEER => 0,
        _ if random.chance(20) => random.pick(&PROTOCOLS),
        _ => protocol,
    };
    let port = if matches!(kind, 1 | 5) { port } else { 0 };
    let family = if six { 6 } else { 4 } | if random.chance(10) { 8 } else { 0 };
    let tag = u32::from(port) << 16 | u32::from(protocol) << 8 | kind << 4 | if kind == PEER { 0 } else { family };
    let last = if random.chance(95) { last } else { random.pick(&CLIENTS) };
    let mut whole = vec![0; if six { 0 } else { 12 }];
    whole.extend(frames::address(six, last));
    let mut number = u128::from_be_bytes(std::array::from_fn(|byte| whole[byte]));
    let mut prefix = 0_u32;
    if (5..=8).contains(&kind) {
        prefix = if six { random.pick(&[64, 32]) } else { random.pick(&[120, 96 + 8]) };
        number &= !(u128::MAX >> prefix);
    }
    if kind == PEER {
        // The number of a set of peers, and a MAC.
        let mac = source.iter().rev().fold(0, |mac, byte| mac << 8 | u128::from(*byte));
        number = u128::from(random.below(PEER_SETS)) << 64 | mac;
    }
    let mut cell = Vec::new();
    cell.extend(((number >> 64) as u64).to_le_bytes());
    cell.extend((number as u64).to_le_bytes());
    cell.extend(tag.to_le_bytes());
    let slots = if random.chance(15) { 0 } else { 1 + below(random, &[3, 32, 32, 65_536]) };
    cell.extend(slots.to_le_bytes());
    cell.extend(below(random, &[16, 512]).to_le_bytes());
    cell.extend(below(random, &[16, 40]).to_le_bytes());
    for _ in 0..3 {
        cell.extend((random.below(65_536) as u32).to_le_bytes());
    }
    let exit = if random.chance(20) { EXIT } else { 0 };
    cell.extend((random.below(16) as u32 | exit).to_le_bytes());
    cell.extend(prefix.to_le_bytes());
    cell.extend((random.below(PEER_SETS) as u32).to_le_bytes());
    cell.extend(random.pick(&[0_u32, 5, u32::MAX]).to_le_bytes());
    cell.extend(u32::from(random.next() as u16).to_le_bytes());
    cell
}

/// Below one of these limits.
fn below(random: &mut Random, limits: &[u64]) -> u32 {
    let limit = random.pick(limits);
    random.below(limit) as u32
}

fn slot_bytes(random: &mut Random) -> [u8; 8] {
    let mut slot = random.next().to_le_bytes();
    slot[0] = if random.chance(25) { 1 } else { slot[0] & 0xfe };
    (slot[6], slot[7]) = (slot[6] & 31, 0);
    slot
}

/// Of packed counters many are nearly full.
fn tally(random: &mut Random) -> u32 {
    match random.below(4) {
        0 => random.next() as u32,
        1 => 511,
        2 => 0x7fff_fc00 | random.below(600) as u32,
        _ => random.below(1 << 20) as u32,
    }
}

fn next_hop(random: &mut Random) -> Vec<u8> {
    let interface = random.pick(&[0_u32, u32::MAX, 1, 2, 7]);
    let vlan = random.pick(&[0_u32, u32::MAX, 5, 4094]);
    let mut hop = [interface.to_le_bytes(), vlan.to_le_bytes()].concat();
    hop.extend(random.bytes(16));
    hop
}
