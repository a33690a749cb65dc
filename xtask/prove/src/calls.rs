//! A call of a function of the program that is not looked into: what it returns is any function of its arguments.

use crate::{
    contracts::{Argument, Function},
    domain::{Domain as _, Stop},
    image::Image,
    memory, pure,
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::{Region, Value},
};

/// The most bytes that are loaded at a time.
const WORD: u32 = 8;

/// Does what a contract says, and goes on behind the call.
///
/// That the function writes nothing is looked up in its instructions; and that the program has written to none of the
/// tables that it may read, since they are no arguments.
pub fn by_contract(
    image: &Image,
    domain: &mut Symbolic,
    state: &mut State<Term>,
    function: &Function,
    target: usize,
) -> Result<(), Stop<Term>> {
    let name = function.name;
    let tables = pure::tables(image, target)
        .map_err(|error| Stop::Failed(format!("{name} does not keep its contract: {error:#}")))?;
    if tables.contains("CONTROL") {
        return Err(Stop::Fault(format!("{name} may read the control word once more")));
    }
    if let Some(write) = state.writes.iter().find(|write| tables.contains(&*write.table)) {
        return Err(Stop::Fault(format!("{name} is called after a store to {}, which it may read", write.table)));
    }
    let mut arguments = Vec::new();
    for (argument, register) in function.arguments.iter().zip(1..) {
        match (argument, state.registers[register].clone()) {
            (Argument::Context, Some(Value::Pointer(Region::Context, at)))
                if domain.known(&at) == Some(0) && state.packet.is_empty() => {}
            (Argument::Number, Some(Value::Number(number))) => arguments.push(number),
            (Argument::Stack(size), Some(Value::Pointer(Region::Stack, at))) => {
                arguments.extend(content(domain, state, at, *size)?);
            }
            _ => return Err(Stop::Fault(format!("{name} is called with another kind of argument in r{register}"))),
        }
    }
    let result = domain.terms.function(name, &arguments);
    let result = domain.facts.refine(&mut domain.terms, result);
    state.forget_arguments();
    state.registers[0] = Some(Value::Number(result));
    state.next += 1;
    Ok(())
}

/// What is there on the stack.
fn content(domain: &mut Symbolic, state: &State<Term>, at: Term, size: u32) -> Result<Vec<Term>, Stop<Term>> {
    let mut words = Vec::new();
    for offset in (0..size).step_by(WORD as usize) {
        let offset = domain.constant(offset.into());
        let place = domain.terms.add(at, offset);
        match memory::load(domain, state, &Region::Stack, &place, WORD)? {
            Value::Number(number) => words.push(number),
            Value::Pointer(..) => return Err(Stop::Fault("a function is handed a pointer on the stack".into())),
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contracts::Symbol,
        image::{
            Image,
            tests::{call, image, named, symbol},
        },
        programs::Kind,
        theorem::Prover,
    };

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

    const fn set(register: u8, value: u8) -> [u8; 8] {
        [0xb7, register, 0, 0, value, 0, 0, 0]
    }

    /// What `modlb_search` returns; it returns its first argument.
    const BODY: [[u8; 8]; 2] = [[0xbf, 0x10, 0, 0, 0, 0, 0, 0], EXIT];

    /// Both paths return what `modlb_search` does: the fast one with 1, 2, 3, 4 where the control word is even, the
    /// general one with `arguments`.
    fn program(arguments: [u8; 4], body: [[u8; 8]; 2]) -> Image {
        let [a, b, c, d] = arguments;
        let code = [
            [0xbf, 0x16, 0, 0, 0, 0, 0, 0],
            [0x18, 1, 0, 0, 0, 0, 0, 0],
            [0; 8],
            [0x79, 0x12, 0, 0, 0, 0, 0, 0],
            [0xbf, 0x27, 0, 0, 0, 0, 0, 0],
            [0x57, 7, 0, 0, 1, 0, 0, 0],
            [0x15, 7, 3, 0, 0, 0, 0, 0],
            [0xbf, 0x61, 0, 0, 0, 0, 0, 0],
            call(),
            EXIT,
            set(1, 1),
            set(2, 2),
            set(3, 3),
            set(4, 4),
            call(),
            EXIT,
            set(1, a),
            set(2, b),
            set(3, c),
            set(4, d),
            call(),
            EXIT,
            body[0],
            body[1],
        ];
        let (general, search) = (16, 22);
        let functions = [("balancer", 0), ("balance_other", general), ("modlb_search", search)];
        let mut image = symbol(named(image(&code), &functions), 1, "modlb_table_CONTROL");
        for (number, target) in [(8, general), (14, search), (20, search)] {
            image.code[number].target = Some(target);
        }
        image
    }

    fn prove(program: &Image) -> anyhow::Result<bool> {
        let mut prover = Prover::new(program, "balancer", |_| {})?;
        prover.run()?;
        assert_eq!(prover.counts.by_contract, 2);
        Ok(prover.refutations.is_empty())
    }

    #[test]
    fn equal_arguments_have_equal_results() {
        assert!(prove(&program([1, 2, 3, 4], BODY)).unwrap());
    }

    /// What it calculates is not looked at, so the two may differ.
    #[test]
    fn other_arguments_may_have_other_results() {
        assert!(!prove(&program([1, 2, 3, 5], BODY)).unwrap());
        assert!(!prove(&program([2, 2, 3, 4], BODY)).unwrap());
    }

    /// A function that is handed a key on the stack: what it returns where there are these words in front of it.
    fn of_stack(domain: &mut Symbolic, words: [(i64, u64); 2]) -> Term {
        let function = Function { name: "modlb_key", symbol: Symbol::Name, arguments: &[Argument::Stack(8)] };
        let image = image(&[EXIT]);
        let (mut state, at) = (State::new(0, []), domain.constant(-8_i64 as u64));
        state.registers[1] = Some(Value::Pointer(Region::Stack, at));
        for (place, word) in words {
            let word = domain.constant(word);
            state.stack.insert(place, (8, Value::Number(word)));
        }
        by_contract(&image, domain, &mut state, &function, 0).unwrap();
        let Some(Value::Number(result)) = state.registers[0] else { unreachable!("a number is returned") };
        result
    }

    #[test]
    fn what_a_pointer_points_to_is_the_argument() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let first = of_stack(&mut domain, [(-8, 5), (-16, 1)]);
        assert_eq!(first, of_stack(&mut domain, [(-8, 5), (-16, 2)]));
        let other = of_stack(&mut domain, [(-8, 6), (-16, 1)]);
        let equal = domain.terms.equal(first, other);
        assert!(!domain.holds(equal).unwrap());
    }

    #[test]
    fn a_function_that_stores_elsewhere_has_no_contract() {
        let error = prove(&program([1, 2, 3, 4], [[0x7b, 0x21, 0, 0, 0, 0, 0, 0], EXIT])).unwrap_err();
        assert!(error.to_string().contains("modlb_search does not keep its contract"), "{error}");
    }
}
