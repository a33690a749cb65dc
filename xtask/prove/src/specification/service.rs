//! DESIGN.md, 5, "Match order": the service of a flow. What the searches return is any function of what is looked for
//! and of the control word; `lookup` says what it must be.

use crate::{
    specification::{
        cell::Cell,
        lookup::{self, few::Few, hash::Halves},
        outcome::Outcome::NoService,
        stage::{self, Family, Flow, Stage},
        world::{Ruled, Search, World},
    },
    term::Term,
};

/// The bytes of a cell.
const CELL: u64 = 64;

/// Goes on with the cell of the flow's service.
pub fn service(world: &mut World<'_>, flow: &Flow) -> Ruled<Stage> {
    let few = match world.search {
        Search::Few if !flow.fragment && flow.has_ports => few(world, flow)?,
        Search::Few | Search::Whole => Few::Unknown,
        Search::Prefixes => Few::Prefix,
    };
    let number = match few {
        Few::Cell(number) => number,
        Few::Nothing => return Err(NoService.into()),
        Few::Prefix => found(world, "modlb_search_prefix", flow)?,
        Few::Unknown => found(world, "modlb_search", flow)?,
    };
    let cell = Cell(world.times(number, CELL));
    let formula = cell.formula(world)?;
    Ok(Stage::Service { flow: flow.clone(), cell: cell.0, formula })
}

/// What a service must have: the address as a number of 128 bits, of which IPv4 fills the last 32, and the rest of it.
struct Key {
    halves: Halves,
    lookup: Term,
}

impl Key {
    fn of(world: &mut World<'_>, flow: &Flow) -> Self {
        let Flow { family, destination, destination_port, protocol, fragment, .. } = flow;
        let terms = &mut world.domain.terms;
        let halves = match family {
            Family::V4 => [terms.constant(0, 64), stage::number(terms, destination)],
            Family::V6 => [stage::number(terms, &destination[..8]), stage::number(terms, &destination[8..])],
        };
        let start = terms.constant(u64::from(*fragment) << 4 | family.number(), 8);
        let parts = [destination_port[0], destination_port[1], *protocol, start];
        Self { halves, lookup: stage::number(terms, &parts) }
    }
}

/// What few cells tell of a flow that is no fragment, and has ports.
pub fn few(world: &mut World<'_>, flow: &Flow) -> Ruled<Few> {
    let (Key { halves, lookup }, control) = (Key::of(world, flow), world.domain.control());
    lookup::few::few(world, halves, lookup, control)
}

/// The number of the cell that a search returns; it returns one more, or 0 for none.
fn found(world: &mut World<'_>, search: &str, flow: &Flow) -> Ruled<Term> {
    let (Key { halves: [high, low], lookup }, control) = (Key::of(world, flow), world.domain.control());
    let result = world.call(search, &[high, low, lookup, control]);
    if world.is(result, 0)? {
        return Err(NoService.into());
    }
    let one = world.constant(1);
    let number = world.minus(result, one);
    if lookup::cell::is_there(world, number)? { Ok(number) } else { Err(NoService.into()) }
}
