//! The machine's world where everything is known: one frame and what is in the tables.

use std::rc::Rc;

use crate::{
    contracts::GLOBALS,
    domain::{Domain, Place, Step, Stop},
    helpers,
    image::Image,
    insn::{Alu, Test},
    machine::{self, Event},
    programs::Field,
    state::State,
    sum::{apply, signed},
    symbolic::{CONSTANT, TABLE},
    term::{Op, mask},
    value::{Region, Value},
    world::{Ending, Numbers},
};

/// How many instructions a program may take.
const STEPS: usize = 1_000_000;

impl Numbers {
    /// Runs a function up to its end or to the call of `general`.
    pub fn run(&self, image: &Image, first: usize, arguments: &[u64], general: Option<usize>) -> Ending {
        // The packet changes.
        self.clone().run_once(image, first, arguments, general)
    }

    fn run_once(&mut self, image: &Image, first: usize, arguments: &[u64], general: Option<usize>) -> Ending {
        let context = State::context(0);
        let arguments = arguments.iter().map(|argument| Value::Number(*argument));
        let mut state = State::new(first, [context.clone()].into_iter().chain(arguments));
        for _ in 0..STEPS {
            match machine::step(image, &mut state, self) {
                Ok(Event::Next) => {}
                Ok(Event::Branch(false, _)) => state.next += 1,
                Ok(Event::Branch(true, target)) => state.next = target,
                Ok(Event::Call(target)) if Some(target) == general => {
                    let control = Value::Number(self.control());
                    let rightly = state.registers[1..3] == [Some(context), Some(control)] && !state.has_written();
                    return Ending::General { rightly };
                }
                Ok(Event::Call(target)) => {
                    if let Err(stop) = machine::enter::<Self>(&mut state, target) {
                        return Ending::Fault(format!("{stop:?}"));
                    }
                }
                Ok(Event::Exit(Value::Number(action))) => {
                    self.settle(&mut state);
                    return Ending::Decided { action, frame: self.whole(), writes: state.writes };
                }
                Ok(Event::Exit(Value::Pointer(..))) => return Ending::Fault("returns a pointer".into()),
                Err(Stop::Fault(what)) => return Ending::Fault(what),
                Err(Stop::Failed(what)) => return Ending::Unknown(what),
                Err(Stop::Fork(_)) => return Ending::Fault("is undecided".into()),
            }
        }
        Ending::Fault(format!("takes more than {STEPS} instructions"))
    }
}

impl Domain for Numbers {
    type Condition = bool;
    type Number = u64;

    fn constant(&mut self, value: u64) -> u64 {
        value
    }

    fn known(&self, number: &u64) -> Option<u64> {
        Some(*number)
    }

    fn arithmetic(&mut self, op: Alu, width: u32, a: &u64, b: &u64) -> u64 {
        let (a, b) = (a & mask(width), b & mask(width));
        let shift = b & (u64::from(width) - 1);
        let value = match op {
            Alu::Add => a.wrapping_add(b),
            Alu::Sub => a.wrapping_sub(b),
            Alu::Neg => a.wrapping_neg(),
            Alu::Mov => b,
            Alu::Mul => apply(Op::Mul, a, b, width),
            Alu::Div => apply(Op::Div, a, b, width),
            Alu::Mod => apply(Op::Mod, a, b, width),
            Alu::And => a & b,
            Alu::Or => a | b,
            Alu::Xor => a ^ b,
            Alu::Shl => a << shift,
            Alu::Shr => a >> shift,
            Alu::Sar => (signed(a, width) >> shift) as u64,
        };
        value & mask(width)
    }

    fn bytes(&mut self, number: &u64, count: u32) -> Vec<u64> {
        (0..count).map(|byte| number >> (8 * byte) & 255).collect()
    }

    fn join(&mut self, bytes: &[u64]) -> u64 {
        bytes.iter().rev().fold(0, |whole, byte| whole << 8 | byte)
    }

    fn compare(&mut self, test: Test, width: u32, a: &u64, b: &u64) -> bool {
        let (a, b) = (a & mask(width), b & mask(width));
        let (signed_a, signed_b) = (signed(a, width), signed(b, width));
        match test {
            Test::Equal => a == b,
            Test::NotEqual => a != b,
            Test::Less => a < b,
            Test::LessEqual => a <= b,
            Test::Greater => a > b,
            Test::GreaterEqual => a >= b,
            Test::Bits => a & b != 0,
            Test::SignedLess => signed_a < signed_b,
            Test::SignedLessEqual => signed_a <= signed_b,
            Test::SignedGreater => signed_a > signed_b,
            Test::SignedGreaterEqual => signed_a >= signed_b,
        }
    }

    fn symbol(&mut self, name: &Rc<str>) -> Step<Value<u64>, Self> {
        if let Some(number) = name.strip_prefix(CONSTANT) {
            let value = self.numbers.get(number);
            return value
                .map_or_else(|| Err(Stop::Fault(format!("no number {name}"))), |value| Ok(Value::Number(*value)));
        }
        let table = name.strip_prefix(TABLE).or_else(|| GLOBALS.into_iter().find(|global| *global == &**name));
        let region = table.map(|table| Region::Table(table.into()));
        Ok(Value::Pointer(region.unwrap_or_else(|| Region::Other(name.clone())), 0))
    }

    fn context(&mut self, offset: u64, size: u32) -> Step<Value<u64>, Self> {
        match self.kind.field(offset).filter(|_| size == 4) {
            Some(Field::Start) => Ok(Value::Pointer(Region::Packet, 0)),
            Some(Field::End) => Ok(Value::Pointer(Region::Packet, self.frame.len() as u64)),
            Some(Field::Length) => Ok(Value::Number(self.length())),
            Some(Field::Segments) => Ok(Value::Number(self.segments)),
            None => Err(Stop::Fault(format!("reads {size} bytes of the context at {offset}"))),
        }
    }

    fn place(&mut self, at: &u64, size: u32) -> Step<Place<u64>, Self> {
        match at.checked_add(size.into()) {
            Some(end) if end <= self.frame.len() as u64 => Ok(Place::At(*at)),
            _ => Err(Stop::Fault(format!("{size} bytes of the packet at {at}, which is beyond its end"))),
        }
    }

    fn packet_byte(&mut self, at: u64) -> u64 {
        self.frame[at as usize].into()
    }

    fn frame_byte(&mut self, at: u64) -> u64 {
        self.packet_byte(at)
    }

    fn does_not_wrap(&mut self, at: &u64) -> Step<(), Self> {
        if *at >> 32 == 0 { Ok(()) } else { Err(Stop::Fault("compares a pointer far beyond the packet".into())) }
    }

    fn table_byte(&mut self, table: &Rc<str>, address: &u64) -> Step<u64, Self> {
        Ok(self.tables.get(&(table.clone(), *address)).copied().unwrap_or(0).into())
    }

    fn within_table(&mut self, table: &Rc<str>, at: &u64, size: u32) -> Step<(), Self> {
        match (self.table_bytes(table), at.checked_add(size.into())) {
            (Some(bytes), Some(end)) if end <= bytes => Ok(()),
            _ => Err(Stop::Fault(format!("{size} bytes of {table} at {at}, beyond its end"))),
        }
    }

    fn are_apart(&mut self, (a, size_a): (&u64, u32), (b, size_b): (&u64, u32)) -> Step<bool, Self> {
        Ok(a.wrapping_sub(*b) >= u64::from(size_b) && b.wrapping_sub(*a) >= u64::from(size_a))
    }

    fn helper(&mut self, number: i32, state: &mut State<u64>) -> Step<Value<u64>, Self> {
        helpers::call(self, number, state)
    }
}
