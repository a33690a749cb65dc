//! Random mutations: one instruction of a program is changed by chance. Each must be refuted, or proven to decide as
//! the unmodified program does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Context as _, Result};

use super::verdict::{Case, Verdict};
use crate::{
    image::Image,
    insn::{Insn, Operation},
    kernel::confirm::Confirmed,
    parallel,
    random::Random,
    stages::Entry,
    symbolic::{CONSTANT, TABLE},
    table_sizes,
};

/// Tries so many, in both paths. Whether each was refuted or proven.
pub fn run(file: &[u8], image: &Image, programs: &[&str], count: u64, seed: u64) -> Result<bool> {
    let mutations = choose(image, programs, count, seed)?;
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    let judge = |mutation: &Mutation| judge(file, &Image::read(file)?, mutation);
    parallel::in_order(&mutations, judge, |_, (kind, line)| {
        *verdicts.entry(kind).or_default() += 1;
        println!("{line}");
        Ok(())
    })?;
    for (kind, count) in &verdicts {
        println!("{count:5} {kind}");
    }
    Ok(!verdicts.contains_key("open") && !verdicts.contains_key("refuted, but not confirmed by the kernel"))
}

/// One of them: what is needed to make it again in another thread's image.
struct Mutation {
    turn: u64,
    program: String,
    number: usize,
    random: Random,
}

/// What is changed, and where random numbers go on for how.
fn choose(image: &Image, programs: &[&str], count: u64, seed: u64) -> Result<Vec<Mutation>> {
    let (mut random, mut places) = (Random(seed), Vec::new());
    for program in programs {
        places.push(((*program).to_owned(), looked_at(image, program)?));
    }
    let mut mutations = Vec::new();
    for turn in 1..=count {
        let (program, numbers) = &places[random.below(places.len() as u64) as usize];
        let number = random.pick(numbers);
        let mutation = Mutation { turn, program: program.clone(), number, random: random.clone() };
        if mutated(&mut random, image, number).is_some() {
            mutations.push(mutation);
        }
    }
    Ok(mutations)
}

/// The kind of verdict, and what is said about it.
fn judge(file: &[u8], image: &Image, mutation: &Mutation) -> Result<(&'static str, String)> {
    let Mutation { turn, program, number, random } = mutation;
    let insn = mutated(&mut random.clone(), image, *number).context("a mutation that is none")?;
    let mut changed = image.clone();
    changed.code[*number] = insn;
    let start = Instant::now();
    let verdict = Case { file, image, program, changed: &changed, number: *number }.judge()?;
    let kind = match &verdict {
        Verdict::Refuted { kernel: Confirmed::Yes, .. } => "refuted, and the kernel confirms it",
        Verdict::Refuted { kernel: Confirmed::Refused(_), .. } => "refuted, and the kernel's verifier refuses it",
        Verdict::Refuted { kernel: Confirmed::No, .. } => "refuted, but not confirmed by the kernel",
        Verdict::Refuted { .. } => "refuted, the kernel could not be asked",
        Verdict::Proven { .. } => "proven to decide as before",
        Verdict::Same { .. } => "both paths decide alike",
        Verdict::Open(_) => "open",
    };
    let (before, after, seconds) = (&image.code[*number], &changed.code[*number], start.elapsed().as_secs_f64());
    let line = format!("{turn:4} {seconds:6.1} s  {program}: {before} -> {}\n          {verdict}", shown(after));
    Ok((kind, line))
}

/// The instructions that the proofs go into.
fn looked_at(image: &Image, program: &str) -> Result<Vec<usize>> {
    let mut numbers = BTreeSet::new();
    for entry in Entry::ALL {
        let functions = entry.functions(image, program)?;
        numbers.extend(functions.into_iter().flat_map(|first| image.body(first)));
    }
    // The second half of an instruction of two is none.
    numbers.retain(|number| number.checked_sub(1).is_none_or(|before| !image.code[before].is_wide()));
    Ok(numbers.into_iter().collect())
}

fn shown(insn: &Insn) -> String {
    let Insn { code, dst, src, off, imm, upper, symbol, .. } = insn;
    let symbol = symbol.as_deref().unwrap_or_default();
    format!("{code:#04x} dst r{dst} src r{src} off {off} imm {imm:#x} {upper:#x} {symbol}")
}

/// Another instruction for the one with this number; `None`: it cannot be changed in a way that means anything.
fn mutated(random: &mut Random, image: &Image, number: usize) -> Option<Insn> {
    const TRIES: usize = 50;
    let old = &image.code[number];
    let candidates = (0..TRIES).map(|_| change(random, old)).collect::<Vec<_>>();
    candidates.into_iter().find(|new| {
        let leads_within = || {
            let target = (number + 1).wrapping_add_signed(new.off.into());
            let first = image.code.get(target.wrapping_sub(1)).is_none_or(|before| !before.is_wide());
            first && image.code.get(target).is_some_and(|at| same_section(at, new))
        };
        let is_sound = match new.operation() {
            Ok(Operation::Jump { .. } | Operation::Goto) => leads_within(),
            Ok(_) => new.is_wide() == old.is_wide(),
            Err(_) => false,
        };
        new != old && is_sound && (new.dst < 10 || old.dst == 10)
    })
}

fn same_section(one: &Insn, other: &Insn) -> bool {
    let section = |insn: &Insn| insn.place.rsplit_once(':').map(|(section, _)| section.to_owned());
    section(one) == section(other)
}

fn change(random: &mut Random, old: &Insn) -> Insn {
    let mut new = old.clone();
    if let Some(symbol) = &old.symbol {
        new.symbol = Some(another(random, symbol).into());
        return new;
    }
    if old.is_function_call() {
        return new;
    }
    match random.below(6) {
        0 => new.imm ^= 1 << random.below(32),
        1 => new.imm = new.imm.wrapping_add(random.pick(&[1, -1, 4, -4])),
        2 => new.off = new.off.wrapping_add(random.pick(&[1, -1, 2, -2, 4, -4])),
        3 => new.dst = random.below(10) as u8,
        4 => new.src = random.below(11) as u8,
        // Another operation, width or size of the same class.
        _ => new.code = new.code & 7 | (random.next() as u8 & !7),
    }
    // What an instruction does not look at is no mutation.
    let looks_at_constant = new.code & 8 == 0 || matches!(new.code & 7, 2) || new.is_wide();
    if !looks_at_constant {
        new.imm = old.imm;
    }
    new
}

/// A symbol of the same kind.
fn another(random: &mut Random, symbol: &str) -> String {
    const NUMBERS: [&str; 6] = ["CELL_SHIFT", "CELLS", "SLOTS", "COUNTERS", "ALL_COUNTERS", "ALL_OUTCOMES"];
    if symbol.starts_with(CONSTANT) {
        format!("{CONSTANT}{}", random.pick(&NUMBERS))
    } else if symbol.starts_with(TABLE) {
        format!("{TABLE}{}", random.pick(&table_sizes::ALL).name)
    } else {
        symbol.to_owned()
    }
}
