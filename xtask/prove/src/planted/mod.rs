//! Faults planted in the object, to see that each is found: by a frame and tables on which the two paths differ, and on
//! which the kernel, too, runs the faulty program in another way.

mod faults;
mod functions;
mod mutate;
mod patterns;
mod reading;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

pub use self::mutate::run as mutations;
use self::{
    faults::{EXAMPLE, FAULTS, Fault, Where},
    verdict::{Case, Verdict},
};
use crate::{code_digest::PROVEN_PROGRAMS, contracts, functions as proof, general, image::Image, theorem::GENERAL};

/// Plants each with this word in its name in turn; whether all were refuted: in the first theorem by a frame that shows
/// it, and by the kernel where it can be asked.
pub fn run(file: &[u8], image: &Image, program: Option<&str>, word: &str) -> Result<bool> {
    let fits = |fault: &&Fault| {
        fault.name.contains(word) && fault.program.is_none_or(|only| program.is_none_or(|program| program == only))
    };
    let faults: Vec<_> = FAULTS.iter().filter(fits).collect();
    let reading: Vec<_> = reading::FAULTS.iter().filter(fits).collect();
    let called: Vec<_> = functions::FAULTS.iter().filter(fits).collect();
    ensure!(faults.len() + reading.len() + called.len() > 0, "no planted fault has {word} in its name");
    let of = |fault: &Fault| program.or(fault.program).unwrap_or(PROVEN_PROGRAMS[0]).to_owned();
    let mut found = 0;
    for fault in &faults {
        let program = of(fault);
        let (changed, number) = plant(image, &program, fault)?;
        let case = Case { file, image, program: &program, changed: &changed, number };
        let start = Instant::now();
        let verdict = case.judge(fault.place == Where::General)?;
        found += usize::from(matches!(&verdict, Verdict::Refuted { kernel, .. } if !kernel.contradicts()));
        println!("{:6.1} s  {}: {verdict}", start.elapsed().as_secs_f64(), fault.name);
    }
    println!("{found} of {} planted faults are refuted with a frame", faults.len());
    let mut refuted = 0;
    for fault in &reading {
        refuted += usize::from(reads_wrongly(image, &of(fault), fault)?);
    }
    println!("{refuted} of {} planted faults in reading packets are refuted", reading.len());
    let mut in_functions = 0;
    for fault in &called {
        in_functions += usize::from(returns_wrongly(image, &of(fault), fault)?);
    }
    println!("{in_functions} of {} planted faults in functions are refuted", called.len());
    Ok(found == faults.len() && refuted == reading.len() && in_functions == called.len())
}

/// How long one of them is looked at.
const PATIENCE: Duration = Duration::from_secs(100);

/// Whether the second theorem is refuted of the program with this fault.
fn reads_wrongly(image: &Image, program: &str, fault: &Fault) -> Result<bool> {
    let (changed, _) = plant(image, program, fault)?;
    let start = Instant::now();
    let report = general::prove(&changed, program, Some(start + PATIENCE));
    let refuted = report.map(|report| report.refutation().map(str::to_owned));
    Ok(is_refuted(fault, start, &refuted))
}

/// Whether the third theorem is refuted of the function with this fault.
fn returns_wrongly(image: &Image, program: &str, fault: &Fault) -> Result<bool> {
    let (changed, number) = plant(image, program, fault)?;
    let start = Instant::now();
    let first = image.reached(image.function(program)?).into_iter().find(|first| image.body(*first).contains(&number));
    let first = first.context("the fault is in no function")?;
    let report = proof::prove_one(&changed, first, program.ends_with("_frags"), Some(start + PATIENCE));
    let refuted = report.map(|report| report.refutation().map(str::to_owned));
    Ok(is_refuted(fault, start, &refuted))
}

/// Says what came of it.
fn is_refuted(fault: &Fault, start: Instant, refuted: &Result<Option<String>>) -> bool {
    let verdict = match refuted {
        Ok(Some(what)) => format!("refuted: {what}"),
        Ok(None) => "NOT REFUTED".into(),
        Err(error) => format!("NEITHER PROVEN NOR REFUTED: {error:#}"),
    };
    println!("{:6.1} s  {}: {verdict}", start.elapsed().as_secs_f64(), fault.name);
    matches!(refuted, Ok(Some(_)))
}

/// The image with one of the faults.
pub fn example(image: &Image, program: &str) -> Result<Image> {
    let fault = FAULTS.iter().find(|fault| fault.name == EXAMPLE).context("no such fault")?;
    plant(image, program, fault).map(|(changed, _)| changed)
}

fn plant(image: &Image, program: &str, fault: &Fault) -> Result<(Image, usize)> {
    let first = match fault.place {
        Where::Fast => image.function(program)?,
        Where::General => image.called(program, GENERAL)?,
        Where::Called(part) => image.called(image.name_at(image.called(program, GENERAL)?), part)?,
        Where::Function(name) => {
            let is_it = |first: &usize| contracts::function(image.name_at(*first)).is_some_and(|it| it.name == name);
            let reached = image.reached(image.function(program)?);
            reached.into_iter().find(is_it).with_context(|| format!("{program} does not call {name}"))?
        }
    };
    let fits = |number: &usize| {
        let insn = &image.code[*number];
        insn.operation().is_ok_and(|operation| (fault.fits)(insn, operation))
    };
    let number = image.body(first).filter(fits).nth(fault.count);
    let number = number.with_context(|| format!("\"{}\" fits no instruction of {program}", fault.name))?;
    let mut changed = image.clone();
    (fault.change)(&mut changed.code[number]);
    ensure!(changed.code[number] != image.code[number], "\"{}\" changes nothing", fault.name);
    Ok((changed, number))
}
