//! Helpers of the kernel, on numbers: what the programs of the balancer call, the general path included.

use std::rc::Rc;

use crate::{
    contracts::{
        CPU, DEVICES, LENGTH, LOOK_UP, LOOKED_UP, MOVE_START, REDIRECT, REDIRECTION, REFUSED, SHORTEST, XDP_REDIRECT,
    },
    domain::{Step, Stop},
    memory,
    programs::Kind,
    state::{State, Write},
    value::{Region, Value},
    world::Numbers,
};

/// The kernel's room before a frame, without what it keeps there itself.
const ROOM: u64 = 256 - 40;

/// What a helper returns, and what it does.
pub fn call(world: &mut Numbers, number: i32, state: &mut State<u64>) -> Step<Value<u64>, Numbers> {
    let argument = |register: usize| state.registers[register].clone();
    match (number, argument(1), argument(2), argument(3)) {
        (CPU, ..) => Ok(Value::Number(world.cpu)),
        (LENGTH, ..) if world.kind == Kind::Buffers => Ok(Value::Number(world.length())),
        (LOOK_UP, Some(Value::Pointer(Region::Other(map), 0)), Some(Value::Pointer(Region::Stack, key)), _) => {
            let key = memory::load(world, state, &Region::Stack, &key, 4)?;
            look_up(world, map, key)
        }
        (MOVE_START, Some(Value::Pointer(Region::Context, 0)), Some(Value::Number(by)), _) => {
            Ok(Value::Number(move_start(world, state, by as i32)))
        }
        (
            REDIRECT,
            Some(Value::Pointer(Region::Other(map), 0)),
            Some(Value::Number(key)),
            Some(Value::Number(flags)),
        ) if &*map == DEVICES => {
            let key = key & 0xffff_ffff;
            let is_there = world.devices.contains(&key);
            state.writes.push(Write { table: REDIRECTION.into(), address: 0, size: 4, value: key });
            Ok(Value::Number(if is_there { XDP_REDIRECT } else { flags & 3 }))
        }
        _ => Err(Stop::Failed(format!("calls the helper {number} with what is not known here"))),
    }
}

fn look_up(world: &Numbers, map: Rc<str>, key: Value<u64>) -> Step<Value<u64>, Numbers> {
    let (Some((_, entry)), Value::Number(key)) = (LOOKED_UP.iter().find(|(name, _)| **name == *map), key) else {
        return Err(Stop::Fault(format!("looks up in {map}")));
    };
    if key >= world.entries() {
        return Ok(Value::Number(0));
    }
    Ok(Value::Pointer(Region::Table(map), key * entry))
}

/// What was cut off is gone; what is new is zeros.
fn move_start(world: &mut Numbers, state: &mut State<u64>, by: i32) -> u64 {
    world.settle(state);
    let (length, size) = (world.frame.len() as u64, u64::from(by.unsigned_abs()));
    let is_possible = if by < 0 { size <= ROOM } else { size + SHORTEST <= length };
    if !is_possible {
        return REFUSED;
    }
    if by < 0 {
        world.frame.splice(..0, std::iter::repeat_n(0, size as usize));
        world.whole_length += size;
    } else {
        world.frame.drain(..size as usize);
        world.whole_length -= size;
    }
    0
}
