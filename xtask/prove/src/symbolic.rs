//! The machine's world where everything is arbitrary: the frame, its length, the tables, what user space fills in.

use std::rc::Rc;

use anyhow::{Result, bail};

use crate::{
    assumptions, contracts,
    domain::{Domain, Place, Step, Stop},
    facts::Facts,
    half::{self, Places},
    insn::{Alu, Test},
    invariants, memory,
    programs::{Field, Kind},
    solver::Solver,
    state::{State, Write},
    term::{Term, Terms},
    value::{Region, Value},
};

/// What the symbols of tables start with.
pub const TABLE: &str = "modlb_table_";
/// What the symbols of numbers start with.
pub const CONSTANT: &str = "modlb_constant_";

/// The most bytes that are put in front of a packet: a VLAN tag.
const ROOM: u64 = 4;

/// Bytes of the packet at places that are not known, as if they were a table's.
pub const FRAME: &str = "frame";

#[derive(Debug)]
pub struct Symbolic {
    pub terms: Terms,
    pub solver: Solver,
    /// Of the path that is being followed.
    pub facts: Facts,
    kind: Kind,
    /// Whether the table of services is as user space makes it.
    keeps_cells: bool,
    /// Whether the packet may be read at places that depend on it. Otherwise each of them is looked at alone.
    anywhere: bool,
    /// The bit that names the half in force. `None`: which half is read is not looked at.
    pub half: Option<Term>,
    pub places: Places,
    /// A cell that is known to lie within the table, and in that half.
    pub cell: Option<Term>,
}

type Term64 = Value<Term>;

impl Symbolic {
    pub fn new(kind: Kind) -> Result<Self> {
        let mut symbolic = Self {
            terms: Terms::default(),
            solver: Solver::start()?,
            facts: Facts::default(),
            kind,
            keeps_cells: false,
            anywhere: false,
            half: None,
            places: Places::default(),
            cell: None,
        };
        if kind.has_more() {
            let (length, whole) = (symbolic.length(), symbolic.whole_length());
            let shorter = symbolic.terms.less(whole, length);
            let condition = symbolic.terms.not(shorter);
            symbolic.assume(condition)?;
        }
        Ok(symbolic)
    }

    /// From here on the packet may be read at places that depend on it; its first buffer is shorter than 2^15 bytes.
    pub fn read_anywhere(&mut self) -> Result<()> {
        self.anywhere = true;
        let (length, limit) = (self.length(), self.constant(1 << assumptions::PLACE_BITS));
        let is_short = self.terms.less(length, limit);
        self.assume(is_short)
    }

    /// From here on only the half is read that bit 0 of the control word names.
    pub fn read_one_half(&mut self) {
        let control = self.control();
        self.half = Some(self.terms.slice(control, 0, 1));
    }

    /// What the program is handed.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Any number of so many bits, as one of 64.
    fn any(&mut self, name: &str, width: u32) -> Term {
        let unknown = self.terms.unknown(name, width);
        self.terms.zero_extend(unknown, 64)
    }

    /// How long the frame is, or its first buffer.
    pub fn length(&mut self) -> Term {
        self.any("length", assumptions::LENGTH_BITS)
    }

    /// How long the frame is.
    pub fn whole_length(&mut self) -> Term {
        self.any("whole length", assumptions::LENGTH_BITS)
    }

    /// How many frames the packet becomes, by the kernel's count; 0: it is one.
    pub fn segments(&mut self) -> Term {
        self.any("segments", assumptions::SEGMENTS_BITS)
    }

    pub fn cpu(&mut self) -> Term {
        self.any("CPU", assumptions::CPU_BITS)
    }

    /// A number that user space fills in.
    pub fn number(&mut self, name: &str) -> Option<Term> {
        Some(match name {
            "INTERFACE_MAC" => self.any(name, assumptions::MAC_BITS),
            "CELL_SHIFT" => self.filled_in(name, assumptions::SHIFT_BITS),
            "CELLS" | "SLOTS" | "COUNTERS" | "ALL_COUNTERS" | "ALL_OUTCOMES" => {
                self.filled_in(name, assumptions::ENTRIES_BITS)
            }
            "INTERFACE" => self.filled_in(name, 64),
            _ => return None,
        })
    }

    fn filled_in(&mut self, name: &str, width: u32) -> Term {
        let number = self.any(name, width);
        self.facts.refine(&mut self.terms, number)
    }

    /// The control word that the program finds, with the bits that are known.
    pub fn control(&mut self) -> Term {
        let control = self.any_control();
        self.facts.refine(&mut self.terms, control)
    }

    /// The same with nothing known of it.
    pub fn any_control(&mut self) -> Term {
        let start = self.constant(0);
        self.any_number("CONTROL", start, 8)
    }

    /// A number of so many bytes in a table, with nothing known of it.
    pub fn any_number(&mut self, table: &str, address: Term, size: u64) -> Term {
        let table: Rc<str> = table.into();
        let bytes: Vec<_> = (0..size)
            .map(|offset| {
                let offset = self.terms.constant(offset, 64);
                let place = self.terms.add(address, offset);
                self.terms.table_byte(&table, place)
            })
            .collect();
        self.join(&bytes)
    }

    /// From here on the table of services is as user space makes it.
    pub fn keep_cells(&mut self) -> Result<()> {
        self.keeps_cells = true;
        let numbers = (self.number(half::SHIFT), self.number(half::CELLS));
        let (Some(shift), Some(cells)) = numbers else { bail!("numbers of cells are not known") };
        let conditions = invariants::of_numbers(&mut self.terms, shift, cells);
        conditions.into_iter().try_for_each(|condition| self.assume(condition))
    }

    /// Assumes what is known of a byte of that table; what will be asked of its place is asked once.
    fn look_at_cell(&mut self, table: &Rc<str>, byte: Term) -> Step<(), Self> {
        let Some(cells) = self.number(half::CELLS) else { return fault("the number of cells is not known") };
        for condition in invariants::of_place(&mut self.terms, cells, byte) {
            self.holds(condition)?;
        }
        let condition = invariants::of_byte(&mut self.terms, &self.facts, table, byte);
        match condition {
            Some(condition) if self.facts.decide(&mut self.terms, condition) != Some(true) => {
                self.assume(condition).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// From here on this holds.
    pub fn assume(&mut self, condition: Term) -> Result<()> {
        self.solver.assert(&self.terms, condition)?;
        self.facts.learn(&self.terms, condition, true);
        Ok(())
    }

    /// Whether a condition holds in any case here.
    pub fn holds(&mut self, condition: Term) -> Step<bool, Self> {
        if let Some(holds) = self.facts.decide(&mut self.terms, condition) {
            return Ok(holds);
        }
        let opposite = self.terms.not(condition);
        if self.can_hold(opposite)? {
            return Ok(false);
        }
        self.facts.learn(&self.terms, condition, true);
        Ok(true)
    }

    /// Whether a condition holds; `None`: it may hold or not.
    pub fn both_or(&mut self, condition: Term) -> Step<Option<bool>, Self> {
        if let Some(holds) = self.facts.decide(&mut self.terms, condition) {
            return Ok(Some(holds));
        }
        let opposite = self.terms.not(condition);
        // One of them can hold: no path is followed that nothing takes.
        let holds = self.can_hold(condition)?;
        if holds && self.can_hold(opposite)? {
            return Ok(None);
        }
        self.facts.learn(&self.terms, condition, holds);
        Ok(Some(holds))
    }

    /// Whether a condition holds. Where it may hold or not, it is assumed from here on.
    pub fn fork(&mut self, condition: Term) -> Step<Fork, Self> {
        if let Some(holds) = self.both_or(condition)? {
            return Ok(Fork::Decided(holds));
        }
        let opposite = self.terms.not(condition);
        let fork = Fork::Assumed { facts: Box::new(self.facts.clone()), depth: self.solver.depth(), opposite };
        self.solver.push().map_err(failed)?;
        self.assume(condition).map_err(failed)?;
        Ok(fork)
    }

    /// Whether a condition can hold here.
    pub fn can_hold(&mut self, condition: Term) -> Step<bool, Self> {
        self.solver.can_hold(&self.terms, condition).map_err(failed)
    }

    /// The number that a term must be here.
    fn only_value(&mut self, term: Term) -> Step<u64, Self> {
        let term = self.facts.refine(&mut self.terms, term);
        if let Some(value) = self.terms.known(term) {
            return Ok(value);
        }
        self.solver.prepare(&self.terms, term).map_err(failed)?;
        if !self.solver.is_possible().map_err(failed)? {
            return Err(Stop::Failed("a path is followed that nothing takes".into()));
        }
        let value = self.solver.values(&self.terms, &[term]).map_err(failed)?[0];
        let constant = self.terms.constant(value, 64);
        let is_it = self.terms.equal(term, constant);
        if self.holds(is_it)? { Ok(value) } else { Err(Stop::Fork(is_it)) }
    }

    /// An entry of a map, or null where there is none with this number.
    fn look_up(&mut self, state: &State<Term>) -> Step<Term64, Self> {
        let (Some(Value::Pointer(Region::Other(map), _)), Some(Value::Pointer(Region::Stack, at))) =
            (&state.registers[1], &state.registers[2])
        else {
            return fault("looks up with what is no map or no key");
        };
        let entry = contracts::LOOKED_UP.iter().find(|(name, _)| **name == **map);
        let (Some((_, entry)), Value::Number(key)) = (entry, memory::load(self, state, &Region::Stack, at, 4)?) else {
            return fault(format!("looks up in {map}, of which nothing is known here"));
        };
        let counters = self.number("COUNTERS").map(|counters| self.terms.shift_left(counters, 1));
        let entries = counters.unwrap_or_else(|| self.constant(0));
        let is_there = self.terms.less(key, entries);
        let is_not = self.terms.not(is_there);
        if self.holds(is_there)? {
            let size = self.constant(*entry);
            let place = self.terms.multiply(key, size);
            return Ok(Value::Pointer(Region::Table(map.clone()), place));
        }
        if self.holds(is_not)? { Ok(Value::Number(self.constant(0))) } else { Err(Stop::Fork(is_there)) }
    }

    /// `bpf_redirect_map` without flags. Whether the device is there is a byte of its map.
    fn redirect(&mut self, state: &mut State<Term>) -> Step<Term64, Self> {
        let (Some(Value::Pointer(Region::Other(map), _)), Some(Value::Number(key)), Some(Value::Number(flags))) =
            (&state.registers[1], &state.registers[2], &state.registers[3])
        else {
            return fault("redirects by what is not known");
        };
        let (map, key) = (map.clone(), *key);
        if self.known(flags) != Some(0) {
            return fault("redirects with flags");
        }
        let byte = self.table_byte(&map, &key)?;
        let zero = self.terms.constant(0, 8);
        let is_not = self.terms.equal(byte, zero);
        let is_there = self.terms.not(is_not);
        let action = match (self.holds(is_there)?, self.holds(is_not)?) {
            (true, _) => contracts::XDP_REDIRECT,
            (_, true) => 0,
            (false, false) => return Err(Stop::Fork(is_there)),
        };
        let to = Write { table: contracts::REDIRECTION.into(), address: self.constant(0), size: 4, value: key };
        state.writes.push(to);
        Ok(Value::Number(self.constant(action)))
    }

    /// Whether the packet's start can be moved by so many bytes.
    pub fn moves(&mut self, by: i64) -> Term {
        let moves = self.terms.unknown(&format!("the start moves by {by}"), 1);
        let one = self.terms.constant(1, 1);
        self.terms.equal(moves, one)
    }

    /// `bpf_xdp_adjust_head`. It fails where it would leave too little; for want of room it may fail anyway.
    fn move_start(&mut self, state: &mut State<Term>) -> Step<Term64, Self> {
        let (Some(Value::Pointer(Region::Context, at)), Some(Value::Number(by))) =
            (&state.registers[1], &state.registers[2])
        else {
            return fault("moves the start of what is no packet");
        };
        let (Some(0), Some(by), 0) = (self.known(at), self.known(by), state.start) else {
            return fault("moves the packet's start by what is not known here");
        };
        let by = i64::from(by as i32);
        let moves = self.moves(by);
        let not = self.terms.not(moves);
        if self.holds(not)? {
            return Ok(Value::Number(self.constant(contracts::REFUSED)));
        }
        if !self.holds(moves)? {
            return Err(Stop::Fork(moves));
        }
        let (length, least) = (self.length(), self.constant(contracts::SHORTEST.wrapping_add(by as u64)));
        let too_short = self.terms.less(length, least);
        let is_left = self.terms.not(too_short);
        if !self.holds(is_left)? {
            return fault("may move the start beyond the packet's end");
        }
        state.start = by;
        Ok(Value::Number(self.constant(0)))
    }

    /// A place that depends on the packet, if it and those behind it are all within.
    fn somewhere(&mut self, at: Term, size: u32) -> Step<Place<Term>, Self> {
        let size = self.constant(size.into());
        let (end, length) = (self.terms.add(at, size), self.length());
        let (beyond, wraps) = (self.terms.less(length, end), self.terms.less(end, at));
        let (within, goes_on) = (self.terms.not(beyond), self.terms.not(wraps));
        let condition = self.terms.all(&[within, goes_on]);
        if self.holds(condition)? {
            Ok(Place::Somewhere(at))
        } else {
            fault("reads or writes the packet where it may have ended")
        }
    }

    fn at_least(&mut self, number: Term, least: u64) -> Step<bool, Self> {
        let least = self.terms.constant(least, 64);
        let less = self.terms.less(number, least);
        let condition = self.terms.not(less);
        self.holds(condition)
    }
}

/// What comes of a condition.
pub enum Fork {
    /// It is known.
    Decided(bool),
    /// It is assumed. The other side has the opposite, with what was known before, at this depth of the solver.
    Assumed { facts: Box<Facts>, depth: usize, opposite: Term },
}

fn failed<C>(error: anyhow::Error) -> Stop<C> {
    Stop::Failed(format!("{error:#}"))
}

fn fault<T, C>(what: impl Into<String>) -> Result<T, Stop<C>> {
    Err(Stop::Fault(what.into()))
}

impl Domain for Symbolic {
    type Condition = Term;
    type Number = Term;

    fn constant(&mut self, value: u64) -> Term {
        self.terms.constant(value, 64)
    }

    fn known(&self, number: &Term) -> Option<u64> {
        self.terms.known(*number)
    }

    fn arithmetic(&mut self, op: Alu, width: u32, a: &Term, b: &Term) -> Term {
        self.terms.arithmetic(op, width, *a, *b)
    }

    fn bytes(&mut self, number: &Term, count: u32) -> Vec<Term> {
        (0..count).map(|byte| self.terms.slice(*number, byte * 8, 8)).collect()
    }

    fn join(&mut self, bytes: &[Term]) -> Term {
        let joined = self.terms.concat(bytes);
        self.terms.zero_extend(joined, 64)
    }

    fn compare(&mut self, test: Test, width: u32, a: &Term, b: &Term) -> Term {
        self.terms.compare(test, width, *a, *b)
    }

    fn symbol(&mut self, name: &Rc<str>) -> Step<Term64, Self> {
        if let Some(number) = name.strip_prefix(CONSTANT) {
            let number = self.number(number);
            return number
                .map_or_else(|| fault(format!("the number {name} is not known")), |number| Ok(Value::Number(number)));
        }
        let zero = self.constant(0);
        let table =
            name.strip_prefix(TABLE).or_else(|| contracts::GLOBALS.into_iter().find(|global| *global == &**name));
        let region = table.map(|table| Region::Table(table.into()));
        Ok(Value::Pointer(region.unwrap_or_else(|| Region::Other(name.clone())), zero))
    }

    fn context(&mut self, offset: u64, size: u32) -> Step<Term64, Self> {
        match self.kind.field(offset).filter(|_| size == 4) {
            Some(Field::Start) => Ok(Value::Pointer(Region::Packet, self.constant(0))),
            Some(Field::End) => Ok(Value::Pointer(Region::Packet, self.length())),
            Some(Field::Length) => Ok(Value::Number(self.whole_length())),
            Some(Field::Segments) => Ok(Value::Number(self.segments())),
            None => fault(format!("reads {size} bytes of the context at {offset}")),
        }
    }

    fn place(&mut self, at: &Term, size: u32) -> Step<Place<Term>, Self> {
        let term = self.facts.refine(&mut self.terms, *at);
        if self.anywhere && self.terms.known(term).is_none() {
            return self.somewhere(term, size);
        }
        let place = self.only_value(*at)?;
        // What was put in front of the packet.
        let before = place.wrapping_neg();
        if (u64::from(size)..=ROOM).contains(&before) {
            return Ok(Place::At(place));
        }
        let Some(end) = place.checked_add(size.into()) else { return fault("reads or writes before the packet") };
        let (length, end) = (self.length(), self.constant(end));
        let beyond = self.terms.less(length, end);
        let within = self.terms.not(beyond);
        if self.holds(within)? {
            return Ok(Place::At(place));
        }
        // Where it may be within, what is beyond is looked at alone, and first: then there is a frame that shows it.
        if self.can_hold(within)? {
            return Err(Stop::Fork(beyond));
        }
        fault(format!("{size} bytes of the packet at {place}, which is beyond its end"))
    }

    fn packet_byte(&mut self, at: u64) -> Term {
        let byte = self.terms.unknown(&format!("packet {at}"), 8);
        self.facts.refine(&mut self.terms, byte)
    }

    fn frame_byte(&mut self, at: Term) -> Term {
        let at = self.facts.refine(&mut self.terms, at);
        if let Some(place) = self.terms.known(at) {
            return self.packet_byte(place);
        }
        let table: Rc<str> = FRAME.into();
        // One form: places that can be read have no more bits.
        let low = self.terms.slice(at, 0, assumptions::PLACE_BITS);
        let at = self.terms.zero_extend(low, 64);
        let byte = self.terms.table_byte(&table, at);
        self.facts.refine(&mut self.terms, byte)
    }

    fn does_not_wrap(&mut self, at: &Term) -> Step<(), Self> {
        let limit = self.constant(1 << assumptions::LENGTH_BITS);
        let condition = self.terms.less(*at, limit);
        if self.holds(condition)? { Ok(()) } else { fault("compares a pointer that may be far beyond the packet") }
    }

    fn table_byte(&mut self, table: &Rc<str>, address: &Term) -> Step<Term, Self> {
        let byte = self.terms.table_byte(table, *address);
        if self.keeps_cells && &**table == half::CELLS {
            self.look_at_cell(table, byte)?;
        }
        Ok(self.facts.refine(&mut self.terms, byte))
    }

    fn within_table(&mut self, table: &Rc<str>, at: &Term, size: u32) -> Step<(), Self> {
        self.prove_access(table, *at, size)
    }

    fn are_apart(&mut self, (a, size_a): (&Term, u32), (b, size_b): (&Term, u32)) -> Step<bool, Self> {
        let (behind, before) = (self.terms.subtract(*a, *b), self.terms.subtract(*b, *a));
        Ok(self.at_least(behind, size_b.into())? && self.at_least(before, size_a.into())?)
    }

    fn helper(&mut self, number: i32, state: &mut State<Term>) -> Step<Term64, Self> {
        match number {
            contracts::LOOK_UP => self.look_up(state),
            contracts::REDIRECT => self.redirect(state),
            contracts::MOVE_START => self.move_start(state),
            contracts::CPU => Ok(Value::Number(self.cpu())),
            contracts::LENGTH if self.kind == Kind::Buffers => {
                let (whole, moved) = (self.whole_length(), self.constant(state.start as u64));
                Ok(Value::Number(self.terms.subtract(whole, moved)))
            }
            _ => fault(format!("calls the helper {number}, of which nothing is known here")),
        }
    }
}
