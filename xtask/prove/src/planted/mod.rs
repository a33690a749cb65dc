//! Faults planted in the object, to see that each is found: by a frame and tables on which the two paths differ, and on
//! which the kernel, too, runs the faulty program in another way.

mod bounds;
mod faults;
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
use crate::{code_digest::PROVEN_PROGRAMS, image::Image, parallel, stages, theorem::GENERAL};

/// Plants each with this word in its name in turn; whether all were refuted: in the first theorem by a frame that shows
/// it, and by the kernel where it can be asked.
pub fn run(file: &[u8], program: Option<&str>, word: &str) -> Result<bool> {
    let fits = |fault: &&Fault| {
        fault.name.contains(word) && fault.program.is_none_or(|only| program.is_none_or(|program| program == only))
    };
    let faults: Vec<_> = FAULTS.iter().chain(&bounds::FAULTS).filter(fits).collect();
    let reading: Vec<_> = reading::FAULTS.iter().chain(&bounds::READING).filter(fits).collect();
    ensure!(faults.len() + reading.len() > 0, "no planted fault has {word} in its name");
    let of = |fault: &Fault| program.or(fault.program).unwrap_or(PROVEN_PROGRAMS[0]).to_owned();
    let found = count(file, &faults, |image, fault| shows(file, image, &of(fault), fault))?;
    println!("{found} of {} planted faults are refuted with a frame", faults.len());
    let refuted = count(file, &reading, |image, fault| reads_wrongly(image, &of(fault), fault))?;
    println!("{refuted} of {} planted faults in reading packets are refuted", reading.len());
    Ok(found == faults.len() && refuted == reading.len())
}

/// How many faults are found. Several are looked at at a time, each in an image of its own.
fn count(
    file: &[u8],
    faults: &[&Fault],
    judge: impl Fn(&Image, &Fault) -> Result<(bool, String)> + Sync,
) -> Result<usize> {
    let mut found = 0;
    let look = |fault: &&Fault| {
        let start = Instant::now();
        let (is_found, verdict) = judge(&Image::read(file)?, fault)?;
        Ok((is_found, verdict, start.elapsed().as_secs_f64()))
    };
    parallel::in_order(faults, look, |fault, (is_found, verdict, seconds)| {
        found += usize::from(is_found);
        println!("{seconds:6.1} s  {}: {verdict}", fault.name);
        Ok(())
    })?;
    Ok(found)
}

/// Whether the first theorem is refuted of the program with this fault, by a frame.
fn shows(file: &[u8], image: &Image, program: &str, fault: &Fault) -> Result<(bool, String)> {
    let (changed, number) = plant(image, program, fault)?;
    let case = Case { file, image, program, changed: &changed, number };
    let verdict = case.judge(fault.place == Where::General)?;
    let is_found = matches!(&verdict, Verdict::Refuted { kernel, .. } if !kernel.contradicts());
    Ok((is_found, verdict.to_string()))
}

/// How long one of them is looked at.
const PATIENCE: Duration = Duration::from_secs(100);

/// Whether the second theorem is refuted of the program with this fault.
fn reads_wrongly(image: &Image, program: &str, fault: &Fault) -> Result<(bool, String)> {
    let (changed, _) = plant(image, program, fault)?;
    let report = stages::prove(&changed, program, stages::Entry::General, Some(Instant::now() + PATIENCE));
    let verdict = match &report {
        Ok(report) => report.refutation().map_or("NOT REFUTED".into(), |what| format!("refuted: {what}")),
        Err(error) => format!("NEITHER PROVEN NOR REFUTED: {error:#}"),
    };
    Ok((report.is_ok_and(|report| !report.is_proven()), verdict))
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
