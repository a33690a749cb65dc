//! Faults planted in the object, to see that each is found: by a frame and tables on which the two paths differ, and on
//! which the kernel, too, runs the faulty program in another way.

mod faults;
mod mutate;
mod patterns;
mod reading;
mod roles;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

pub use self::mutate::run as mutations;
use self::{
    faults::{EXAMPLE, FAULTS, Fault, Where},
    verdict::{Case, Verdict},
};
use crate::{code_digest::PROVEN_PROGRAMS, general, image::Image, programs};

/// Plants each with this word in its name in turn; whether all were refuted: in the first theorem by a frame that shows
/// it, and by the kernel where it can be asked.
pub fn run(file: &[u8], image: &Image, program: Option<&str>, word: &str) -> Result<bool> {
    let fits = |fault: &&Fault| {
        let is_of = |program: &str| match fault.program {
            Some(only) => only == program,
            None => PROVEN_PROGRAMS.contains(&program),
        };
        fault.name.contains(word) && program.is_none_or(is_of)
    };
    let faults: Vec<_> = FAULTS.iter().chain(&roles::FAULTS).filter(fits).collect();
    let reading: Vec<_> = reading::FAULTS.iter().filter(fits).collect();
    ensure!(faults.len() + reading.len() > 0, "no planted fault has {word} in its name");
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
    Ok(found == faults.len() && refuted == reading.len())
}

/// How long one of them is looked at.
const PATIENCE: Duration = Duration::from_secs(100);

/// Whether the second theorem is refuted of the program with this fault.
fn reads_wrongly(image: &Image, program: &str, fault: &Fault) -> Result<bool> {
    let (changed, _) = plant(image, program, fault)?;
    let start = Instant::now();
    let report = general::prove(&changed, program, Some(start + PATIENCE));
    let verdict = match &report {
        Ok(report) => report.refutation().map_or("NOT REFUTED".into(), |what| format!("refuted: {what}")),
        Err(error) => format!("NEITHER PROVEN NOR REFUTED: {error:#}"),
    };
    println!("{:6.1} s  {}: {verdict}", start.elapsed().as_secs_f64(), fault.name);
    Ok(report.is_ok_and(|report| !report.is_proven()))
}

/// The image with one of the faults.
pub fn example(image: &Image, program: &str) -> Result<Image> {
    let fault = FAULTS.iter().find(|fault| fault.name == EXAMPLE).context("no such fault")?;
    plant(image, program, fault).map(|(changed, _)| changed)
}

fn plant(image: &Image, program: &str, fault: &Fault) -> Result<(Image, usize)> {
    let first = match fault.place {
        Where::Fast => image.function(program)?,
        Where::General => programs::general(image, program)?,
        Where::Called(part) => image.called(image.name_at(programs::general(image, program)?), part)?,
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
