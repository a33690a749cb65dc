//! Loads and stores. Whatever is in no known region is an error.

use std::rc::Rc;

use crate::{
    domain::{Domain, Place, Step, Stop},
    state::{CALLS, FRAME, State, Write},
    value::{Region, Value},
};

fn fault<T, C>(what: impl Into<String>) -> Result<T, Stop<C>> {
    Err(Stop::Fault(what.into()))
}

/// What is there.
pub fn load<D: Domain>(
    domain: &mut D,
    state: &State<D::Number>,
    region: &Region,
    at: &D::Number,
    size: u32,
) -> Step<Value<D::Number>, D> {
    match region {
        Region::Stack => load_stack(domain, state, at, size),
        Region::Context => match domain.known(at) {
            Some(offset) => {
                let value = domain.context(offset, size)?;
                Ok(moved(domain, state, value))
            }
            None => fault("reads somewhere in the context"),
        },
        Region::Packet => {
            let bytes = match place(domain, state, at, size)? {
                Place::At(place) => known_bytes(domain, state, place..place + u64::from(size)),
                Place::Somewhere(place) => bytes_somewhere(domain, state, &place, size)?,
            };
            Ok(Value::Number(domain.join(&bytes)))
        }
        Region::Table(table) => {
            domain.within_table(table, at, size)?;
            let mut bytes = Vec::new();
            for offset in 0..size {
                let offset = domain.constant(offset.into());
                let address = domain.arithmetic(crate::insn::Alu::Add, 64, at, &offset);
                bytes.push(table_byte(domain, state, table, &address)?);
            }
            Ok(Value::Number(domain.join(&bytes)))
        }
        Region::Other(name) => fault(format!("reads {name}")),
    }
}

/// Which bytes of the packet these are.
fn place<D: Domain>(domain: &mut D, state: &State<D::Number>, at: &D::Number, size: u32) -> Step<Place<D::Number>, D> {
    match domain.place(at, size)? {
        Place::At(place) if (place as i64) < state.start => fault("reads or writes before the packet's start"),
        Place::Somewhere(_) if state.start != 0 => fault("reads or writes somewhere in a packet whose start was moved"),
        place => Ok(place),
    }
}

/// The packet's first byte, if that was moved.
fn moved<D: Domain>(domain: &mut D, state: &State<D::Number>, value: Value<D::Number>) -> Value<D::Number> {
    match value {
        Value::Pointer(Region::Packet, at) if state.start != 0 && domain.known(&at) == Some(0) => {
            Value::Pointer(Region::Packet, domain.constant(state.start as u64))
        }
        value => value,
    }
}

/// Bytes of the packet.
fn known_bytes<D: Domain>(domain: &mut D, state: &State<D::Number>, places: std::ops::Range<u64>) -> Vec<D::Number> {
    places.map(|place| state.packet.get(&place).cloned().unwrap_or_else(|| domain.packet_byte(place))).collect()
}

/// The same where it is not known which they are, of a packet that nothing was written to.
fn bytes_somewhere<D: Domain>(
    domain: &mut D,
    state: &State<D::Number>,
    place: &D::Number,
    size: u32,
) -> Step<Vec<D::Number>, D> {
    if !state.packet.is_empty() {
        return fault("reads somewhere in the packet after it has written to it");
    }
    let bytes = (0..size).map(|offset| {
        let offset = domain.constant(offset.into());
        let at = domain.arithmetic(crate::insn::Alu::Add, 64, place, &offset);
        domain.frame_byte(at)
    });
    Ok(bytes.collect())
}

/// The newest store to a byte of a table, or what was there before.
fn table_byte<D: Domain>(
    domain: &mut D,
    state: &State<D::Number>,
    table: &Rc<str>,
    address: &D::Number,
) -> Step<D::Number, D> {
    for write in state.writes.iter().rev().filter(|write| write.table == *table) {
        let distance = domain.arithmetic(crate::insn::Alu::Sub, 64, address, &write.address);
        match domain.known(&distance) {
            Some(distance) if distance < u64::from(write.size) => {
                let bytes = domain.bytes(&write.value, write.size);
                return Ok(bytes[distance as usize].clone());
            }
            Some(_) => {}
            None if domain.are_apart((address, 1), (&write.address, write.size))? => {}
            None => return fault(format!("reads from {table} what may have been written before or not")),
        }
    }
    domain.table_byte(table, address)
}

/// Puts a value there.
pub fn store<D: Domain>(
    domain: &mut D,
    state: &mut State<D::Number>,
    (region, at): (&Region, &D::Number),
    size: u32,
    value: Value<D::Number>,
) -> Step<(), D> {
    let number = match (region, value) {
        (Region::Stack, value) => return store_stack(domain, state, at, size, value),
        (_, Value::Number(number)) => number,
        (_, Value::Pointer(..)) => return fault("stores a pointer where others see it"),
    };
    let bytes = domain.bytes(&number, size);
    match region {
        Region::Packet => {
            let Place::At(place) = place(domain, state, at, size)? else {
                return fault("writes somewhere in the packet");
            };
            state.packet.extend((place..).zip(bytes));
            Ok(())
        }
        Region::Table(table) => {
            domain.within_table(table, at, size)?;
            let value = domain.join(&bytes);
            state.writes.push(Write { table: table.clone(), address: at.clone(), size, value });
            Ok(())
        }
        Region::Context | Region::Stack => fault("writes to the context"),
        Region::Other(name) => fault(format!("writes to {name}")),
    }
}

/// Where on the stack this is.
fn stack_place<D: Domain>(domain: &D, state: &State<D::Number>, at: &D::Number, size: u32) -> Step<i64, D> {
    let Some(at) = domain.known(at) else { return fault("reads or writes somewhere on the stack") };
    let at = at as i64;
    let within = at.div_euclid(FRAME) == (at + i64::from(size) - 1).div_euclid(FRAME);
    if !(-FRAME * CALLS as i64..0).contains(&at) || at < state.top() - FRAME || !within {
        return fault(format!("reads or writes beyond the stack, at {at}"));
    }
    Ok(at)
}

fn load_stack<D: Domain>(
    domain: &mut D,
    state: &State<D::Number>,
    at: &D::Number,
    size: u32,
) -> Step<Value<D::Number>, D> {
    let at = stack_place(domain, state, at, size)?;
    if let Some((stored, value)) = state.stack.get(&at)
        && *stored == size
    {
        return Ok(value.clone());
    }
    let mut bytes = Vec::new();
    for place in at..at + i64::from(size) {
        let below = state.stack.range(..=place).next_back();
        let Some((start, (stored, value))) = below.filter(|(start, (stored, _))| place - **start < i64::from(*stored))
        else {
            return fault("reads from the stack what was never written");
        };
        let Value::Number(number) = value else { return fault("reads a part of a pointer") };
        bytes.push(domain.bytes(number, *stored)[(place - start) as usize].clone());
    }
    Ok(Value::Number(domain.join(&bytes)))
}

fn store_stack<D: Domain>(
    domain: &mut D,
    state: &mut State<D::Number>,
    at: &D::Number,
    size: u32,
    value: Value<D::Number>,
) -> Step<(), D> {
    let at = stack_place(domain, state, at, size)?;
    let end = at + i64::from(size);
    let hit: Vec<_> = state.stack.range(at - 7..end).map(|(start, (stored, _))| (*start, *stored)).collect();
    for (start, stored) in hit.into_iter().filter(|(start, stored)| start + i64::from(*stored) > at) {
        let Some((_, old)) = state.stack.remove(&start) else { continue };
        // What is left of a pointer is nothing.
        let Value::Number(old) = old else { continue };
        if at <= start && start + i64::from(stored) <= end {
            continue;
        }
        for (place, byte) in (start..).zip(domain.bytes(&old, stored)) {
            if !(at..end).contains(&place) {
                let byte = domain.join(&[byte]);
                state.stack.insert(place, (1, Value::Number(byte)));
            }
        }
    }
    let value = match value {
        Value::Number(number) if size < 8 => {
            let bytes = domain.bytes(&number, size);
            Value::Number(domain.join(&bytes))
        }
        Value::Pointer(..) if size < 8 => return fault("stores a part of a pointer"),
        value => value,
    };
    state.stack.insert(at, (size, value));
    Ok(())
}
