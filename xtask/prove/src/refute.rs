//! A refutation: a frame and tables on which the two paths differ when they are calculated.
//!
//! The solver knows neither what a product nor what a remainder is. So each is fixed, one after the other, to what it
//! is for the arguments that the solver chose, and then both paths are run on numbers.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    assumptions,
    contracts::DEVICES,
    ends::SENDING,
    eval::Evaluator,
    image::Image,
    kernel::SHORTEST,
    random::Random,
    solver::LIMIT_MS,
    sum::apply,
    symbolic::Symbolic,
    term::{Node, Op, Term},
    world::{Ending, Numbers},
};

/// A claim that the theorem does not hold.
#[derive(Debug)]
pub struct Refutation {
    pub what: String,
    /// What a program finds, and what both paths do then.
    pub example: Option<(Numbers, Ending, Ending)>,
    /// Whether the example shows it.
    pub is_confirmed: bool,
}

/// What is run.
#[derive(Debug)]
pub struct Run<'a> {
    pub image: &'a Image,
    pub entry: usize,
    pub general: usize,
    /// Whether only packets that are sent may have been changed.
    pub sends: bool,
}

impl Refutation {
    pub fn new(what: String, found: Option<Numbers>, run: &Run<'_>) -> Self {
        let example = found.map(|found| {
            let fast = found.run(run.image, run.entry, &[], Some(run.general));
            let control = found.control();
            let general = found.run(run.image, run.general, &[control], None);
            (found, fast, general)
        });
        let is_confirmed = example.as_ref().is_some_and(|(found, fast, general)| run.shows(found, fast, general));
        Self { what, example, is_confirmed }
    }
}

impl Run<'_> {
    /// Whether the theorem does not hold where both paths end so.
    fn shows(&self, found: &Numbers, fast: &Ending, general: &Ending) -> bool {
        match (fast, general) {
            (Ending::Unknown(_), _) | (_, Ending::Unknown(_)) => false,
            (Ending::General { rightly }, _) => !rightly,
            (Ending::Fault(_), _) => true,
            (Ending::Decided { action, frame, .. }, _) => {
                fast != general || (self.sends && !SENDING.contains(action) && *frame != found.whole())
            }
        }
    }
}

/// The longest frame that is tried to be had, then any that fits.
const SHORT: u64 = 128;
const LONGEST: u64 = 1 << 17;

/// How often an example is looked for, each time with other wishes, and for how long.
const ATTEMPTS: u64 = 6;
/// How long one question may take meanwhile; what has no answer by then is no example.
const SHORT_MS: u32 = 3_000;
const PATIENCE: Duration = Duration::from_secs(6);

/// What a program would have to find for all that was asserted to hold, and a condition besides. `None`: the solver
/// found nothing in which products and remainders are right.
pub fn example(domain: &mut Symbolic, condition: Option<Term>) -> Result<Option<Numbers>> {
    let start = Instant::now();
    for attempt in (0..ATTEMPTS).take_while(|_| start.elapsed() < PATIENCE) {
        let depth = domain.solver.depth();
        domain.solver.push()?;
        domain.solver.limit(SHORT_MS)?;
        let found = search(domain, condition, attempt);
        domain.solver.limit(LIMIT_MS)?;
        domain.solver.back_to(depth)?;
        if let Some(found) = found? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn search(domain: &mut Symbolic, condition: Option<Term>, attempt: u64) -> Result<Option<Numbers>> {
    if let Some(condition) = condition {
        domain.solver.assert(&domain.terms, condition)?;
    }
    let roots = domain.solver.asserted().to_vec();
    let is_filled_in = domain.fits_cells();
    domain.solver.assert(&domain.terms, is_filled_in)?;
    for wish in wishes(domain) {
        grant(domain, wish)?;
    }
    let calculated: Vec<_> =
        domain.terms.below(&roots).into_iter().filter(|term| is_calculated(domain, *term)).collect();
    for term in &calculated {
        bound(domain, *term)?;
    }
    if attempt % 2 == 1 {
        for term in &calculated {
            for wish in simple(domain, *term) {
                if grant(domain, wish)? {
                    break;
                }
            }
        }
    }
    if attempt > 1 {
        choose(domain, &roots, attempt)?;
    }
    for term in calculated {
        let Node::Apply(op, a, b) = *domain.terms.node(term) else { continue };
        if !domain.solver.is_possible().unwrap_or(false) {
            return Ok(None);
        }
        let values = domain.solver.values(&domain.terms, &[a, b])?;
        let width = domain.terms.width(term);
        for (argument, value) in [(a, values[0]), (b, values[1]), (term, apply(op, values[0], values[1], width))] {
            fix(domain, argument, value)?;
        }
    }
    if !domain.solver.is_possible().unwrap_or(false) || !agree(domain, &roots)? {
        return Ok(None);
    }
    let roots = domain.solver.asserted().to_vec();
    read(domain, &roots)
}

fn is_calculated(domain: &Symbolic, term: Term) -> bool {
    matches!(domain.terms.node(term), Node::Apply(Op::Mul | Op::Div | Op::Mod, ..))
}

fn fix(domain: &mut Symbolic, term: Term, value: u64) -> Result<()> {
    let value = domain.terms.constant(value, domain.terms.width(term));
    let is_it = domain.terms.equal(term, value);
    domain.solver.assert(&domain.terms, is_it)
}

/// Asserts it if it can hold.
fn grant(domain: &mut Symbolic, wish: Term) -> Result<bool> {
    let can_hold = domain.solver.can_hold(&domain.terms, wish).unwrap_or(false);
    if can_hold {
        domain.solver.assert(&domain.terms, wish)?;
    }
    Ok(can_hold)
}

/// Tells the solver that a remainder is less than what it is a remainder of.
fn bound(domain: &mut Symbolic, term: Term) -> Result<()> {
    let Node::Apply(Op::Mod, _, b) = *domain.terms.node(term) else { return Ok(()) };
    let zero = domain.terms.constant(0, domain.terms.width(b));
    let (is_zero, is_less) = (domain.terms.equal(b, zero), domain.terms.less(term, b));
    let (not_zero, not_less) = (domain.terms.not(is_zero), domain.terms.not(is_less));
    let neither = domain.terms.all(&[not_zero, not_less]);
    let rule = domain.terms.not(neither);
    domain.solver.assert(&domain.terms, rule)
}

/// Ways for a product or a remainder to be one of its arguments.
fn simple(domain: &mut Symbolic, term: Term) -> Vec<Term> {
    let Node::Apply(op, a, b) = *domain.terms.node(term) else { return Vec::new() };
    let terms = &mut domain.terms;
    let one = terms.constant(1, terms.width(term));
    let (is_a, is_b) = (terms.equal(term, a), terms.equal(term, b));
    let cases = match op {
        Op::Mod => vec![(terms.less(a, b), is_a)],
        Op::Mul => vec![(terms.equal(b, one), is_a), (terms.equal(a, one), is_b)],
        _ => vec![(terms.equal(b, one), is_a)],
    };
    cases.into_iter().map(|(case, then)| terms.all(&[case, then])).collect()
}

/// Other values for some of what is not known.
fn choose(domain: &mut Symbolic, roots: &[Term], attempt: u64) -> Result<()> {
    let mut random = Random(attempt);
    for leaf in leaves(domain, roots) {
        let value = match random.below(4) {
            0 => 0,
            1 => random.next(),
            _ => continue,
        };
        let value = domain.terms.constant(value, domain.terms.width(leaf));
        let wish = domain.terms.equal(leaf, value);
        grant(domain, wish)?;
    }
    Ok(())
}

/// Unknown numbers and bytes of tables.
fn leaves(domain: &Symbolic, roots: &[Term]) -> Vec<Term> {
    let is_leaf = |term: &Term| matches!(domain.terms.node(*term), Node::Unknown(_) | Node::Table { .. });
    domain.terms.below(roots).into_iter().filter(is_leaf).collect()
}

/// Fixes where bytes of tables are. Two terms for the same place must have one value, which the solver does not know.
fn agree(domain: &mut Symbolic, roots: &[Term]) -> Result<bool> {
    let bytes = leaves(domain, roots).into_iter().filter_map(|leaf| match domain.terms.node(leaf) {
        Node::Table { table, base, offset } => Some((leaf, table.clone(), *base, *offset)),
        _ => None,
    });
    let bytes: Vec<_> = bytes.collect();
    let bases: Vec<_> = bytes.iter().map(|(.., base, _)| *base).collect();
    let values = domain.solver.values(&domain.terms, &bases)?;
    let mut places: std::collections::HashMap<(Rc<str>, u64), Term> = std::collections::HashMap::new();
    let mut same = Vec::new();
    for ((leaf, table, base, offset), value) in bytes.into_iter().zip(values) {
        fix(domain, base, value)?;
        if let Some(other) = places.insert((table, value.wrapping_add(offset)), leaf) {
            same.push((leaf, other));
        }
    }
    for (one, other) in same {
        let are_one = domain.terms.equal(one, other);
        domain.solver.assert(&domain.terms, are_one)?;
    }
    Ok(domain.solver.is_possible().unwrap_or(false))
}

/// Numbers as user space fills them in on a machine with two CPUs.
pub const USUAL: [(&str, u64); 6] = [
    ("SLOTS", 1 << 19),
    ("COUNTERS", 1 << 17),
    ("ALL_COUNTERS", 1 << 18),
    ("ALL_OUTCOMES", 64),
    ("CELLS", 1 << 14),
    ("CELL_SHIFT", 50),
];

/// What makes an example easy to read.
fn wishes(domain: &mut Symbolic) -> Vec<Term> {
    let (length, whole, cpu) = (domain.length(), domain.whole_length(), domain.cpu());
    let terms = &mut domain.terms;
    let (zero, short) = (terms.constant(0, 64), terms.constant(SHORT, 64));
    let least = terms.constant(SHORTEST as u64, 64);
    let too_short = terms.less(length, least);
    let mut wishes =
        vec![terms.less(length, short), terms.not(too_short), terms.equal(whole, length), terms.equal(cpu, zero)];
    for (name, value) in USUAL {
        if let Some(number) = domain.number(name) {
            let value = domain.terms.constant(value, 64);
            wishes.push(domain.terms.equal(number, value));
        }
    }
    wishes
}

fn read(domain: &mut Symbolic, roots: &[Term]) -> Result<Option<Numbers>> {
    let leaves = leaves(domain, roots);
    let values = domain.solver.values(&domain.terms, &leaves)?;
    let known: std::collections::HashMap<_, _> =
        leaves.iter().map(|leaf| domain.terms.node(*leaf).clone()).zip(values.iter().copied()).collect();
    let mut found = Numbers { kind: domain.kind(), ..Numbers::default() };
    let mut named = Vec::new();
    for name in
        ["INTERFACE", "INTERFACE_MAC", "CELL_SHIFT", "CELLS", "SLOTS", "COUNTERS", "ALL_COUNTERS", "ALL_OUTCOMES"]
    {
        named.extend(domain.number(name).map(|number| (name, number)));
    }
    let (length, whole, cpu) = (domain.length(), domain.whole_length(), domain.cpu());
    let segments = domain.segments();
    let mut evaluator = Evaluator::new(&domain.terms, |node: &Node, _| known.get(node).copied().unwrap_or_default());
    let length = evaluator.value(length);
    if length > LONGEST {
        return Ok(None);
    }
    found.frame = vec![0; length as usize];
    found.whole_length = evaluator.value(whole).max(length);
    found.cpu = evaluator.value(cpu);
    found.segments = evaluator.value(segments);
    found.numbers = named.into_iter().map(|(name, number)| (name.to_owned(), evaluator.value(number))).collect();
    for (leaf, value) in leaves.iter().zip(values) {
        match domain.terms.node(*leaf) {
            Node::Table { table, base, offset } => {
                let address = evaluator.value(*base).wrapping_add(*offset);
                let table: Rc<str> = table.clone();
                if &*table == DEVICES {
                    if value != 0 {
                        found.devices.insert(address & 0xffff_ffff);
                    }
                    continue;
                }
                // Two terms for one place with two values: not an example of anything real.
                if found.tables.insert((table, address), value as u8).is_some_and(|before| before != value as u8) {
                    return Ok(None);
                }
            }
            Node::Unknown(name) => {
                let place = name.strip_prefix("packet ").and_then(|place| place.parse::<usize>().ok());
                if let Some(byte) = place.and_then(|place| found.frame.get_mut(place)) {
                    *byte = value as u8;
                }
            }
            _ => {}
        }
    }
    debug_assert!(found.numbers["INTERFACE_MAC"] >> assumptions::MAC_BITS == 0);
    Ok(Some(found))
}
