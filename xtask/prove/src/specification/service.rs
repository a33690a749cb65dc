//! DESIGN.md, 5, "Match order": the service of a flow. What the searches return is any function of what is looked for
//! and of the control word; `lookup` says what it must be.

use crate::{
    insn::Alu,
    specification::{
        cell::Cell,
        outcome::Outcome::NoService,
        stage::{self, Family, Flow, Stage},
        world::{Ruled, Search, World},
    },
    term::Term,
};

/// The bytes of a cell, and where its fields are.
const CELL: u64 = 64;
const TAG: u64 = 16;
const LOW: u64 = 8;

/// Bits of the control word.
mod word {
    pub const HALF: u32 = 0;
    /// Services without a port, without a protocol, with a prefix.
    pub const OTHERS: (u32, u32) = (2, 3);
    pub const ONLY_PREFIXES: u64 = 0b100;
    pub const SEED: (u32, u32) = (8, 16);
}

/// Address, protocol and port of a service's key.
const PORT_KIND: u64 = 1;

/// The filter of prefixes of a family in a half: three numbers, and at this place a bit for each 16 bits of address.
const FILTER: u64 = 64 + 8_192;
const BLOCKS: u64 = 64;

/// Goes on with the cell of the flow's service.
pub fn service(world: &mut World<'_>, flow: &Flow) -> Ruled<Stage> {
    let key = Key::of(world, flow);
    let few = match world.search {
        Search::Few if !flow.fragment && flow.has_ports => few(world, &key)?,
        Search::Few | Search::Whole => Few::Unknown,
        Search::Prefixes => Few::Prefix,
    };
    let number = match few {
        Few::Number(number) => number,
        Few::Nothing => return Err(NoService.into()),
        Few::Prefix => found(world, "modlb_search_prefix", &key)?,
        Few::Unknown => found(world, "modlb_search", &key)?,
    };
    let cell = Cell(world.times(number, CELL));
    let formula = cell.formula(world)?;
    Ok(Stage::Service { flow: flow.clone(), cell: cell.0, formula })
}

/// What a service must have.
struct Key {
    family: Family,
    /// The address as a number of 128 bits, of which IPv4 fills the last 32.
    high: Term,
    low: Term,
    lookup: Term,
    tag: Term,
}

impl Key {
    fn of(world: &mut World<'_>, flow: &Flow) -> Self {
        let Flow { family, destination, destination_port, protocol, fragment, .. } = flow;
        let terms = &mut world.domain.terms;
        let (high, low) = match family {
            Family::V4 => (terms.constant(0, 64), stage::number(terms, destination)),
            Family::V6 => (stage::number(terms, &destination[..8]), stage::number(terms, &destination[8..])),
        };
        let mut of = |fourth: u64| {
            let start = terms.constant(fourth << 4 | family.number(), 8);
            let parts = [destination_port[0], destination_port[1], *protocol, start];
            stage::number(terms, &parts)
        };
        let (lookup, tag) = (of(u64::from(*fragment)), of(PORT_KIND));
        Self { family: *family, high, low, lookup, tag }
    }
}

/// The number of the cell that a search returns; it returns one more, or 0 for none.
fn found(world: &mut World<'_>, search: &str, key: &Key) -> Ruled<Term> {
    let control = world.domain.control();
    let result = world.function(search, &[key.high, key.low, key.lookup, control]);
    if world.is(result, 0)? {
        return Err(NoService.into());
    }
    let one = world.constant(1);
    let number = world.minus(result, one);
    if is_cell(world, number)? { Ok(number) } else { Err(NoService.into()) }
}

/// Whether there is a cell with this number.
fn is_cell(world: &mut World<'_>, number: Term) -> Ruled<bool> {
    let cells = world.named("CELLS")?;
    let both = world.times(cells, 2);
    world.is_below(number, both)
}

/// What few cells tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Few {
    /// The number of the service's cell.
    Number(Term),
    /// There is no service.
    Nothing,
    /// There is none but of a prefix.
    Prefix,
    Unknown,
}

/// The same for a flow.
pub fn few_of(world: &mut World<'_>, flow: &Flow) -> Ruled<Few> {
    let key = Key::of(world, flow);
    few(world, &key)
}

/// The cell where the most specific key belongs tells if it is the service's, or empty. If another key is there, the
/// next cell tells in the same way.
fn few(world: &mut World<'_>, key: &Key) -> Ruled<Few> {
    let number = first_cell(world, key)?;
    if is_service(world, number, key)? {
        return Ok(Few::Number(number));
    }
    if is_empty(world, number)? {
        return no_port(world, key);
    }
    let number = next_cell(world, number)?;
    if !is_cell(world, number)? {
        return Ok(Few::Unknown);
    }
    if is_service(world, number, key)? {
        return Ok(Few::Number(number));
    }
    if is_empty(world, number)? { no_port(world, key) } else { Ok(Few::Unknown) }
}

/// Multiply-shift of address and tag, with the half's seed; the first bits say which cell of the half it is.
fn first_cell(world: &mut World<'_>, key: &Key) -> Ruled<Term> {
    let control = world.domain.control();
    let seed = world.bits(control, word::SEED.0, word::SEED.1);
    let (step, factor) = (world.constant(0x0002_0002_0002_0002), world.constant(0xd6e8_feb8_6659_fd93));
    let seed = world.calculate(Alu::Mul, seed, step);
    let factor = world.calculate(Alu::Xor, seed, factor);
    let address = hash(world, key.high, key.low);
    let tag = world.times(key.tag, 1 << 32);
    let both = world.calculate(Alu::Xor, address, tag);
    let (hash, by) = (world.calculate(Alu::Mul, both, factor), world.named("CELL_SHIFT")?);
    let number = world.calculate(Alu::Shr, hash, by);
    if !world.has_bit(control, word::HALF)? {
        return Ok(number);
    }
    let cells = world.named("CELLS")?;
    Ok(world.add(number, cells))
}

/// The address's part of a key's hash.
pub fn hash(world: &mut World<'_>, high: Term, low: Term) -> Term {
    let factor = world.constant(0x9e37_79b9_7f4a_7c15);
    let mixed = world.calculate(Alu::Mul, high, factor);
    let upper = world.bits(mixed, 32, 32);
    let mixed = world.calculate(Alu::Xor, mixed, upper);
    world.calculate(Alu::Xor, mixed, low)
}

/// The next cell of the half: the bits that count within it go on by one, around, and the others stay.
fn next_cell(world: &mut World<'_>, number: Term) -> Ruled<Term> {
    let (next, cells) = (world.plus(number, 1), world.named("CELLS")?);
    let mask = world.plus(cells, u64::MAX);
    let change = world.calculate(Alu::Xor, next, number);
    let change = world.calculate(Alu::And, change, mask);
    Ok(world.calculate(Alu::Xor, change, number))
}

fn field(world: &mut World<'_>, number: Term, offset: u64, size: u64) -> Ruled<Term> {
    let cell = world.times(number, CELL);
    let place = world.plus(cell, offset);
    world.table("CELLS", place, size)
}

/// Whether the cell has this key. The upper half of an IPv4 address is 0 in every cell of that family.
fn is_service(world: &mut World<'_>, number: Term, key: &Key) -> Ruled<bool> {
    let (tag, low) = (field(world, number, TAG, 4)?, field(world, number, LOW, 8)?);
    if !world.are_equal(tag, key.tag)? {
        return Ok(false);
    }
    let mut same = vec![world.domain.terms.equal(low, key.low)];
    if key.family == Family::V6 {
        let high = field(world, number, 0, 8)?;
        same.push(world.domain.terms.equal(high, key.high));
    }
    let same = world.domain.terms.all(&same);
    world.ask(same)
}

fn is_empty(world: &mut World<'_>, number: Term) -> Ruled<bool> {
    let tag = field(world, number, TAG, 4)?;
    world.is(tag, 0)
}

/// What is known where no service has the most specific key.
fn no_port(world: &mut World<'_>, key: &Key) -> Ruled<Few> {
    let control = world.domain.control();
    let others = world.bits(control, word::OTHERS.0, word::OTHERS.1);
    if world.is(others, 0)? {
        return Ok(Few::Nothing);
    }
    if !world.is(others, word::ONLY_PREFIXES)? {
        return Ok(Few::Unknown);
    }
    Ok(if may_match(world, key)? { Few::Prefix } else { Few::Nothing })
}

/// What the half's filter says: whether some prefix has the address's first bits that all have in common, and the 16
/// bits behind those that are skipped.
fn may_match(world: &mut World<'_>, key: &Key) -> Ruled<bool> {
    let control = world.domain.control();
    let half = u64::from(world.has_bit(control, word::HALF)?);
    let filter = FILTER * (2 * half + u64::from(key.family == Family::V6));
    let start = match key.family {
        Family::V4 => world.times(key.low, 1 << 32),
        Family::V6 => key.high,
    };
    let number = |world: &mut World<'_>, offset: u64| {
        let place = world.constant(filter + offset);
        world.table("FILTERS", place, 8)
    };
    let (common, mask, skip) = (number(world, 0)?, number(world, 8)?, number(world, 16)?);
    let differs = world.calculate(Alu::Xor, start, common);
    let differs = world.calculate(Alu::And, differs, mask);
    if !world.is(differs, 0)? {
        return Ok(false);
    }
    let skip = world.bits(skip, 0, 6);
    let shifted = world.calculate(Alu::Shl, start, skip);
    let (block, bit) = (world.bits(shifted, 54, 10), world.bits(shifted, 48, 6));
    let place = world.times(block, 8);
    let place = world.plus(place, filter + BLOCKS);
    let bits = world.table("FILTERS", place, 8)?;
    let bits = world.calculate(Alu::Shr, bits, bit);
    world.has_bit(bits, 0)
}
