//! The machine: what each instruction does. One for numbers and for terms.

use crate::{
    domain::{Domain, Step, Stop},
    image::Image,
    insn::{Alu, Insn, Operation, Source, Test},
    memory,
    state::{CALLS, Caller, FRAME, State},
    value::{Region, Value},
};

/// What an instruction leaves to whoever runs the machine.
#[derive(Clone, Debug)]
pub enum Event<D: Domain> {
    /// Nothing.
    Next,
    /// Whether to go on there instead.
    Branch(D::Condition, usize),
    /// A call of a function of the program.
    Call(usize),
    /// The program ends.
    Exit(Value<D::Number>),
}

/// The register that points to the stack.
const STACK: u8 = 10;

/// Runs an instruction. On an error the state is as before, but for numbers that were looked at.
pub fn step<D: Domain>(image: &Image, state: &mut State<D::Number>, domain: &mut D) -> Step<Event<D>, D> {
    let Some(insn) = image.code.get(state.next) else { return Err(Stop::Fault("goes on beyond the code".into())) };
    run(insn, state, domain).map_err(|stop| match stop {
        Stop::Fault(what) => Stop::Fault(format!("{insn}: {what}")),
        stop => stop,
    })
}

fn fault<T, D: Domain>(what: impl Into<String>) -> Step<T, D> {
    Err(Stop::Fault(what.into()))
}

fn run<D: Domain>(insn: &Insn, state: &mut State<D::Number>, domain: &mut D) -> Step<Event<D>, D> {
    let operation = insn.operation().map_err(|error| Stop::Fault(error.to_string()))?;
    let mut next = state.next + 1;
    match operation {
        Operation::LoadConstant => {
            let value = match &insn.symbol {
                Some(symbol) => domain.symbol(symbol)?,
                None => Value::Number(domain.constant(insn.wide_constant())),
            };
            set::<D>(state, insn.dst, value)?;
            next += 1;
        }
        Operation::Alu { op, width, source } => {
            let value = arithmetic(insn, state, domain, op, width, source)?;
            set::<D>(state, insn.dst, value)?;
        }
        Operation::Bytes { count, swap } => {
            let Value::Number(number) = get(state, domain, insn.dst)? else { return fault::<_, D>("swaps a pointer") };
            let mut bytes = domain.bytes(&number, count);
            if swap {
                bytes.reverse();
            }
            let value = Value::Number(domain.join(&bytes));
            set::<D>(state, insn.dst, value)?;
        }
        Operation::Load { size } => {
            let (region, at) = address(insn, insn.src, state, domain)?;
            let value = memory::load(domain, state, &region, &at, size)?;
            note_control::<D>(state, &region)?;
            set::<D>(state, insn.dst, value)?;
        }
        Operation::Store { size, source } => {
            let value = operand(state, domain, source)?;
            let (region, at) = address(insn, insn.dst, state, domain)?;
            memory::store(domain, state, (&region, &at), size, value)?;
        }
        Operation::Goto => next = target(state.next, insn),
        Operation::Jump { test, width, source } => {
            let condition = condition(insn, state, domain, test, width, source)?;
            return Ok(Event::Branch(condition, target(state.next, insn)));
        }
        Operation::CallHelper => {
            let value = domain.helper(insn.imm, state)?;
            state.forget_arguments();
            state.registers[0] = Some(value);
        }
        Operation::CallFunction => {
            return insn
                .target
                .map_or_else(|| fault::<_, D>("calls a function that is not there"), |to| Ok(Event::Call(to)));
        }
        Operation::Exit => {
            // What only a caller would read need not be there.
            let Some(caller) = state.callers.pop() else { return get(state, domain, 0).map(Event::Exit) };
            let top = state.top();
            state.stack.retain(|at, _| *at >= top - FRAME);
            state.forget_arguments();
            state.registers[6..].clone_from_slice(&caller.saved);
            next = caller.next;
        }
    }
    state.next = next;
    Ok(Event::Next)
}

/// The control word is read once: what follows must all be of one half.
fn note_control<D: Domain>(state: &mut State<D::Number>, region: &Region) -> Step<(), D> {
    if matches!(region, Region::Table(table) if &**table == "CONTROL")
        && std::mem::replace(&mut state.has_control, true)
    {
        return fault::<_, D>("reads the control word once more");
    }
    Ok(())
}

/// Goes into a function of the program.
pub fn enter<D: Domain>(state: &mut State<D::Number>, first: usize) -> Step<(), D> {
    if state.callers.len() + 1 >= CALLS {
        return fault::<_, D>("nests calls too deep");
    }
    let saved = std::array::from_fn(|number| state.registers[6 + number].take());
    state.callers.push(Caller { next: state.next + 1, saved });
    state.registers[0] = None;
    state.next = first;
    Ok(())
}

fn target(from: usize, insn: &Insn) -> usize {
    (from + 1).wrapping_add_signed(insn.off.into())
}

fn get<D: Domain>(state: &State<D::Number>, domain: &mut D, register: u8) -> Step<Value<D::Number>, D> {
    if register == STACK {
        let top = domain.constant(state.top() as u64);
        return Ok(Value::Pointer(Region::Stack, top));
    }
    let value = state.registers.get(usize::from(register)).and_then(Option::as_ref);
    value.cloned().map_or_else(|| fault::<_, D>(format!("r{register} has no value")), Ok)
}

fn set<D: Domain>(state: &mut State<D::Number>, register: u8, value: Value<D::Number>) -> Step<(), D> {
    match state.registers.get_mut(usize::from(register)) {
        Some(place) => *place = Some(value),
        None => return fault::<_, D>(format!("writes r{register}")),
    }
    Ok(())
}

fn operand<D: Domain>(state: &State<D::Number>, domain: &mut D, source: Source) -> Step<Value<D::Number>, D> {
    match source {
        Source::Register(register) => get(state, domain, register),
        Source::Constant(value) => Ok(Value::Number(domain.constant(value))),
    }
}

fn address<D: Domain>(
    insn: &Insn,
    register: u8,
    state: &State<D::Number>,
    domain: &mut D,
) -> Step<(Region, D::Number), D> {
    let Value::Pointer(region, at) = get(state, domain, register)? else {
        return fault::<_, D>("takes a number for an address");
    };
    let offset = domain.constant(i64::from(insn.off) as u64);
    Ok((region, domain.arithmetic(Alu::Add, 64, &at, &offset)))
}

fn arithmetic<D: Domain>(
    insn: &Insn,
    state: &State<D::Number>,
    domain: &mut D,
    op: Alu,
    width: u32,
    source: Source,
) -> Step<Value<D::Number>, D> {
    // The negative of a number has one side alone.
    let right = if op == Alu::Neg { Value::Number(domain.constant(0)) } else { operand(state, domain, source)? };
    let left = match op {
        Alu::Mov if width == 64 => return Ok(right),
        Alu::Mov => Value::Number(domain.constant(0)),
        _ => get(state, domain, insn.dst)?,
    };
    match (left, right, op) {
        (Value::Number(a), Value::Number(b), _) => Ok(Value::Number(domain.arithmetic(op, width, &a, &b))),
        (Value::Pointer(region, at), Value::Number(number), Alu::Add | Alu::Sub) if width == 64 => {
            Ok(Value::Pointer(region, domain.arithmetic(op, 64, &at, &number)))
        }
        (Value::Number(number), Value::Pointer(region, at), Alu::Add) if width == 64 => {
            Ok(Value::Pointer(region, domain.arithmetic(op, 64, &at, &number)))
        }
        (Value::Pointer(region, a), Value::Pointer(other, b), Alu::Sub) if region == other && width == 64 => {
            Ok(Value::Number(domain.arithmetic(op, 64, &a, &b)))
        }
        _ => fault::<_, D>("calculates with a pointer"),
    }
}

fn condition<D: Domain>(
    insn: &Insn,
    state: &State<D::Number>,
    domain: &mut D,
    test: Test,
    width: u32,
    source: Source,
) -> Step<D::Condition, D> {
    let (left, right) = (get(state, domain, insn.dst)?, operand(state, domain, source)?);
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Ok(domain.compare(test, width, &a, &b)),
        (Value::Pointer(Region::Packet, a), Value::Pointer(Region::Packet, b)) if width == 64 => {
            domain.does_not_wrap(&a)?;
            domain.does_not_wrap(&b)?;
            Ok(domain.compare(test, width, &a, &b))
        }
        // No place in a table is null.
        (Value::Pointer(Region::Table(_), _), Value::Number(b))
            if domain.known(&b) == Some(0) && width == 64 && matches!(test, Test::Equal | Test::NotEqual) =>
        {
            let (one, zero) = (domain.constant(1), domain.constant(0));
            Ok(domain.compare(test, width, &one, &zero))
        }
        _ => fault::<_, D>("compares a pointer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::tests::{image, symbol},
        world::Numbers,
    };

    #[test]
    fn the_control_word_is_read_once() {
        let load = [0x79, 0x12, 0, 0, 0, 0, 0, 0];
        let program = symbol(image(&[[0x18, 1, 0, 0, 0, 0, 0, 0], [0; 8], load, load]), 0, "modlb_table_CONTROL");
        let mut world = Numbers::default();
        let mut run = |mut state: State<u64>, steps: usize| {
            (0..steps).map(|_| step(&program, &mut state, &mut world).map(|_| ())).last().unwrap()
        };
        assert!(run(State::new(0, []), 2).is_ok());
        let again = |result: Step<(), Numbers>| matches!(result, Err(Stop::Fault(what)) if what.contains("once more"));
        assert!(again(run(State::new(0, []), 3)));
        assert!(again(run(State::handed(0, State::context(0), 1), 2)), "it was handed the word");
    }
}
