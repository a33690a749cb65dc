//! The machine compared with the kernel: what this machine calculates of a program on random numbers, the kernel must
//! have done as well.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    program::{Loaded, Seen, is_root},
    states,
};
use crate::{
    contracts,
    image::Image,
    programs::{self, Kind},
    random::Random,
    world::{Ending, Numbers},
};

/// How many states a program is run on before it is loaded with other numbers.
const EACH: u64 = 250;

/// What was compared.
#[derive(Debug, Default)]
struct Count {
    states: u64,
    by_fast_path: u64,
    by_action: BTreeMap<u64, u64>,
    different: u64,
}

/// Compares so many states, half of them by the general path alone. Whether all were alike, and whether a fault that is
/// planted in what the kernel is handed is found.
pub fn run(file: &[u8], (image, faulty): (&Image, &Image), programs: &[&str], states: u64, seed: u64) -> Result<bool> {
    ensure!(is_root(), "only root can run programs in the kernel");
    let cpus = std::thread::available_parallelism()?.get() as u64;
    let splits = splits(file, image, cpus)?;
    if !splits {
        println!("this kernel runs no program on a short first buffer: all frames are in one");
    }
    let mut random = Random(seed);
    let mut count = Count::default();
    while count.states < states {
        let program = random.pick(programs);
        let cut = random.chance(50);
        let entry = image.function(program)?;
        let whole = if cut { image.without_fast_path(entry)? } else { image.clone() };
        let mut world = states::numbers(&mut random, cpus, programs::find(program)?.kind);
        let mut loaded = Loaded::new(file, &whole, program, &world)
            .with_context(|| format!("{program}, {} its fast path", if cut { "without" } else { "with" }))?;
        for _ in 0..EACH.min(states - count.states) {
            states::fill(&mut random, &mut world, cpus, splits);
            compare(&mut count, &whole, (program, cut), &world, &mut loaded)?;
        }
    }
    let Count { states, by_fast_path, by_action, different } = &count;
    let actions: Vec<_> = by_action.iter().map(|(action, count)| format!("{count} of action {action}")).collect();
    println!("{states} states (seed {seed}): {}; {by_fast_path} by the fast path", actions.join(", "));
    println!("machine and kernel differ on {different} of them");
    let found = finds_a_fault(file, (image, faulty), programs[0], cpus)?;
    println!(
        "{} states are needed to tell a faulty program from the machine's",
        found.map_or("too many".into(), |n| n.to_string())
    );
    Ok(*different == 0 && found.is_some())
}

/// Runs both on a state.
fn compare(
    count: &mut Count,
    image: &Image,
    (program, cut): (&str, bool),
    world: &Numbers,
    loaded: &mut Loaded,
) -> Result<()> {
    let (entry, general) = (image.function(program)?, programs::general(image, program)?);
    count.states += 1;
    let decided = world.run(image, entry, &[], Some(general));
    count.by_fast_path += u64::from(!cut && matches!(decided, Ending::Decided { .. }));
    let ending = world.run(image, entry, &[], None);
    let seen = loaded.run(world).with_context(|| format!("a frame of {} bytes", world.frame.len()))?;
    *count.by_action.entry(seen.action).or_default() += 1;
    if let Some(what) = difference(world, &ending, &seen) {
        count.different += 1;
        if count.different <= 3 {
            println!("DIFFERENT: {program}{}: {what}", if cut { ", general path" } else { "" });
            println!("  frame, first {} of {} bytes: {}", world.frame.len(), world.whole().len(), hex(&world.frame));
        }
    }
    Ok(())
}

/// How what the machine calculated differs from what the kernel did.
fn difference(world: &Numbers, ending: &Ending, seen: &Seen) -> Option<String> {
    let Ending::Decided { action, frame, writes } = ending else { return Some(format!("the machine says {ending:?}")) };
    if *action != seen.action {
        return Some(format!("action {action}, the kernel: {}", seen.action));
    }
    if *frame != seen.frame {
        return Some(format!("frame {}, the kernel: {}", hex(frame), hex(&seen.frame)));
    }
    let mut tables = world.tables.clone();
    for write in writes.iter().filter(|write| *write.table != *contracts::REDIRECTION) {
        let bytes = write.value.to_le_bytes();
        let places = (0..u64::from(write.size)).map(|byte| (write.table.clone(), write.address + byte));
        tables.extend(places.zip(bytes));
    }
    tables.retain(|_, byte| *byte != 0);
    let other = tables.iter().find(|(place, byte)| seen.tables.get(place) != Some(byte));
    let unexpected = seen.tables.iter().find(|(place, byte)| tables.get(place) != Some(byte));
    other.or(unexpected).map(|((table, at), _)| {
        let byte = |of: &BTreeMap<_, u8>| of.get(&(table.clone(), *at)).copied().unwrap_or(0);
        format!("{table} + {at:#x} is {:#x}, in the kernel {:#x}", byte(&tables), byte(&seen.tables))
    })
}

/// How many states it takes to see that the kernel runs another program than the machine.
fn finds_a_fault(file: &[u8], (image, faulty): (&Image, &Image), program: &str, cpus: u64) -> Result<Option<u64>> {
    const MOST: u64 = 5_000;
    let mut random = Random(1);
    let mut world = states::numbers(&mut random, cpus, programs::find(program)?.kind);
    let mut loaded = Loaded::new(file, faulty, program, &world)?;
    for number in 1..=MOST {
        states::fill(&mut random, &mut world, cpus, false);
        let ending = world.run(image, image.function(program)?, &[], None);
        if difference(&world, &ending, &loaded.run(&world)?).is_some() {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Whether a test run may have a short first buffer (Linux 6.18).
fn splits(file: &[u8], image: &Image, cpus: u64) -> Result<bool> {
    let program = "balancer_frags";
    let mut world = states::numbers(&mut Random(1), cpus, Kind::Buffers);
    world.frame = vec![0; 20];
    world.whole_length = 20;
    let mut loaded = Loaded::new(file, image, program, &world)?;
    if let Err(error) = loaded.run(&world) {
        bail!("{error:#}");
    }
    world.whole_length = 60;
    Ok(loaded.run(&world).is_ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
