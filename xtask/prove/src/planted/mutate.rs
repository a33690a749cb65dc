//! Random mutations: one instruction of a program is changed by chance. Each must be refuted, or proven to decide as
//! the unmodified program does.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, ensure};

use super::verdict::{Case, Verdict};
use crate::{
    image::Image,
    insn::{Insn, Operation},
    kernel::confirm::Confirmed,
    programs,
    random::Random,
    symbolic::{CONSTANT, TABLE},
    table_sizes,
    theorem::Prover,
};

/// Tries so many, in the fast path and in what it shares with the general path. Whether each was refuted or proven.
pub fn run(file: &[u8], image: &Image, programs: &[&str], count: u64, seed: u64) -> Result<bool> {
    let mut random = Random(seed);
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    let places = programs.iter().map(|program| Ok((*program, reached(image, program)?)));
    let places: Vec<(&str, Vec<usize>)> = places.collect::<Result<_>>()?;
    for turn in 1..=count {
        let (program, numbers) = &places[random.below(places.len() as u64) as usize];
        let number = random.pick(numbers);
        let Some(insn) = mutated(&mut random, image, number) else { continue };
        let mut changed = image.clone();
        changed.code[number] = insn;
        let is_general = image.body(programs::general(image, program)?).contains(&number);
        let start = Instant::now();
        let verdict = Case { file, image, program, changed: &changed, number }.judge(is_general)?;
        let kind = match &verdict {
            Verdict::Refuted { kernel: Confirmed::Yes, .. } => "refuted, and the kernel confirms it",
            Verdict::Refuted { kernel: Confirmed::Refused(_), .. } => "refuted, and the kernel's verifier refuses it",
            Verdict::Refuted { kernel: Confirmed::No, .. } => "refuted, but not confirmed by the kernel",
            Verdict::Refuted { .. } => "refuted, the kernel could not be asked",
            Verdict::Proven { .. } => "proven to decide as before",
            Verdict::Open(_) => "open",
        };
        *verdicts.entry(kind).or_default() += 1;
        let (before, after, seconds) = (&image.code[number], &changed.code[number], start.elapsed().as_secs_f64());
        println!("{turn:4} {seconds:6.1} s  {program}: {before} -> {}\n          {verdict}", shown(after));
    }
    for (kind, count) in &verdicts {
        println!("{count:5} {kind}");
    }
    Ok(!verdicts.contains_key("open") && !verdicts.contains_key("refuted, but not confirmed by the kernel"))
}

/// The instructions that the proof of the unmodified program comes by.
fn reached(image: &Image, program: &str) -> Result<Vec<usize>> {
    let mut prover = Prover::new(image, program, |_, _, _| {})?;
    prover.run()?;
    ensure!(prover.refutations.is_empty(), "{program} is not proven");
    let mut numbers: Vec<_> = prover.reached.iter().copied().collect();
    numbers.sort_unstable();
    Ok(numbers)
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
