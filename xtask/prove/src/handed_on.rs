//! The fast path leaves a packet to the general path.

use crate::{
    domain::{Domain as _, Stop},
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::{Region, Value},
};

/// What stands for the general path's result.
const GENERAL: &str = "general path";

/// The call: it must be handed the context and the control word, with nothing done before. It returns what only
/// [`end`] accepts.
pub fn call(domain: &mut Symbolic, state: &mut State<Term>) -> Result<(), Stop<Term>> {
    let fault = |what: &str| Err(Stop::Fault(format!("the general path is called {what}")));
    let zero = domain.constant(0);
    if state.registers[1] != Some(State::context(zero)) {
        return fault("with something else for the context");
    }
    let Some(Value::Number(control)) = state.registers[2] else { return fault("without a control word") };
    let read = domain.control();
    let is_it = domain.terms.equal(control, read);
    if !domain.holds(is_it)? {
        return fault("with something else for the control word");
    }
    if state.has_written() {
        return fault("after something was written");
    }
    state.forget_arguments();
    state.registers[0] = Some(Value::Pointer(Region::Other(GENERAL.into()), zero));
    state.next += 1;
    Ok(())
}

/// The end of the program behind that: it returns what the general path does.
pub fn end(state: &State<Term>, result: &Value<Term>) -> Result<(), Stop<Term>> {
    match result {
        Value::Pointer(Region::Other(name), _) if &**name == GENERAL && !state.has_written() => Ok(()),
        Value::Pointer(Region::Other(name), _) if &**name == GENERAL => {
            Err(Stop::Fault("something is written after the general path".into()))
        }
        _ => Err(Stop::Fault("returns something else than the general path".into())),
    }
}
