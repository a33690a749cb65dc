//! What few cells tell of a flow's service, without a search: the cell where its most specific key belongs, and the
//! next, which the key has if another one was there first.

use crate::{
    domain::Stop,
    specification::{
        call::{Rule, Step},
        lookup::{
            address::{self, ANY_PORT, PREFIX},
            cell, filter,
            hash::{self, Halves},
            key::Key,
            prefix, probe,
        },
        world::{Halt, Ruled, World},
    },
    term::Term,
};

/// How many cells are looked at.
const CELLS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Few {
    /// The number of the service's cell.
    Cell(Term),
    /// There is no service.
    Nothing,
    /// There is none but of a prefix.
    Prefix,
    Unknown,
}

/// Of an unfragmented packet of a protocol with ports.
pub fn few(world: &mut World<'_>, halves: Halves, lookup: Term, control: Term) -> Ruled<Few> {
    let key = Key::of(world, lookup);
    let (tag, six) = (key.port(world), key.is_six(world)?);
    let cells = first_cells(world, halves, tag, control)?;
    for (turn, number) in cells.into_iter().enumerate() {
        // Where a hash is shifted to, there is a cell.
        if turn > 0 && !cell::is_there(world, number)? {
            return Ok(Few::Unknown);
        }
        if cell::has_key(world, number, tag, halves, six)? {
            return Ok(Few::Cell(number));
        }
        if cell::is_empty(world, number)? {
            return without_port(world, halves, &key, control);
        }
    }
    Ok(Few::Unknown)
}

/// The cells that are looked at.
pub fn first_cells(world: &mut World<'_>, halves: Halves, tag: Term, control: Term) -> Ruled<[Term; CELLS]> {
    let hash = hash::of_address(world, halves);
    let (_, number) = probe::home(world, hash, tag, control)?;
    Ok([number, cell::next_around(world, number)?])
}

/// What is known of a packet that no service with a port takes: that there is none, or none but of a prefix, if the
/// control word says that no others are in use.
fn without_port(world: &mut World<'_>, halves: Halves, key: &Key, control: Term) -> Ruled<Few> {
    let others = world.bits(control, ANY_PORT, 3);
    if world.is(others, 0)? {
        return Ok(Few::Nothing);
    }
    if !world.is(others, 1 << (PREFIX - ANY_PORT))? {
        return Ok(Few::Unknown);
    }
    let six = key.is_six(world)?;
    Ok(if filter::may_match(world, halves, six, control)? { Few::Prefix } else { Few::Nothing })
}

/// Whether few cells are asked.
pub fn is_asked(world: &mut World<'_>, lookup: Term) -> Ruled<bool> {
    Key::of(world, lookup).has_port(world)
}

/// What is assumed of cells that are no prefix's, and of IPv4: the shortcut does not compare it.
pub fn assume_fields(world: &mut World<'_>, [high, low, lookup, control]: &[Term; 4]) -> Ruled<()> {
    let key = Key::of(world, *lookup);
    let (tag, six) = (key.port(world), key.is_six(world)?);
    for number in first_cells(world, [*high, *low], tag, *control)? {
        let condition = cell::has_plain_fields(world, number, tag, six)?;
        world.domain.assume(condition).map_err(failed)?;
    }
    Ok(())
}

/// IPv4 addresses have 32 bits.
pub fn assume_family(world: &mut World<'_>, [high, _, lookup, _]: &[Term; 4]) -> Ruled<()> {
    if Key::of(world, *lookup).is_six(world)? {
        return Ok(());
    }
    let zero = world.constant(0);
    let is_short = world.domain.terms.equal(*high, zero);
    world.domain.assume(is_short).map_err(failed)
}

fn failed(error: anyhow::Error) -> Halt {
    Stop::Failed(format!("{error:#}")).into()
}

/// What the whole search returns, by its own rule and by those of the functions that it calls; `None`: it looks at more
/// cells.
pub fn whole(world: &mut World<'_>, arguments: &[Term; 4]) -> Ruled<Option<Term>> {
    let [high, low, lookup, control] = *arguments;
    let tag = Key::of(world, lookup).port(world);
    let (hash, zero) = (hash::of_address(world, [high, low]), world.constant(0));
    let key = world.above(zero, tag, 32);
    let Some(found) = returned(&probe::RULE, world, &[high, low, key, hash, control])? else { return Ok(None) };
    let asked = probe::probe(world, [high, low], (zero, tag), hash, control);
    is_it(world, asked, found)?;
    let Some(found) = returned(&address::SEARCH_ADDRESS, world, arguments)? else { return Ok(None) };
    let asked = world.call(address::SEARCH_ADDRESS.name, arguments);
    is_it(world, asked, found)?;
    returned(&address::SEARCH, world, arguments)
}

/// What a rule returns within a round more than there are cells.
fn returned(rule: &Rule, world: &mut World<'_>, arguments: &[Term]) -> Ruled<Option<Term>> {
    let mut step = Step::Start;
    for _ in 0..=CELLS + 1 {
        step = rule.next(world, arguments, &step)?;
        if let Step::Returns(value) = step {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// From here on what a function returns is what its rule says.
fn is_it(world: &mut World<'_>, asked: Term, returned: Term) -> Ruled<()> {
    let is_it = world.domain.terms.equal(asked, returned);
    world.domain.assume(is_it).map_err(failed)
}

/// The number that a search must return by what few cells tell; `None`: anything.
pub fn told(world: &mut World<'_>, few: Few, arguments: &[Term; 4]) -> Option<Term> {
    match few {
        Few::Cell(number) => Some(world.plus(number, 1)),
        Few::Nothing => Some(world.constant(0)),
        Few::Prefix => Some(world.call(prefix::NAME, arguments)),
        Few::Unknown => None,
    }
}
