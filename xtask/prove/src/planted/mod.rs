//! Faults planted in the object, to see that each is found: by a frame and tables on which the two paths differ, and on
//! which the kernel, too, runs the faulty program in another way.

mod bounds;
mod deciding;
mod faults;
mod functions;
mod mutate;
mod patterns;
mod reading;
mod roles;
mod shown;
mod verdict;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

pub use self::mutate::run as mutations;
use self::{
    faults::{EXAMPLE, FAULTS, Fault, Where},
    verdict::{Case, Verdict},
};
use crate::{code_digest::PROVEN_PROGRAMS, contracts, image::Image, parallel, programs};

/// Plants each with this word in its name in turn; whether all were refuted by a frame that shows it, and by the kernel
/// where it can be asked.
pub fn run(file: &[u8], program: Option<&str>, word: &str) -> Result<bool> {
    let fits = |fault: &&Fault| {
        let is_of = |program: &str| match fault.program {
            Some(only) => only == program,
            None => PROVEN_PROGRAMS.contains(&program),
        };
        fault.name.contains(word) && program.is_none_or(is_of)
    };
    let lists = [&deciding::FAULTS[..], &functions::FAULTS, &reading::FAULTS, &bounds::FAULTS, &FAULTS, &roles::FAULTS];
    let all = lists.into_iter().flatten();
    let faults: Vec<_> = all.filter(fits).collect();
    ensure!(!faults.is_empty(), "no planted fault has {word} in its name");
    let of = |fault: &Fault| program.or(fault.program).unwrap_or(PROVEN_PROGRAMS[0]).to_owned();
    let mut found = 0;
    let look = |fault: &&Fault| {
        let start = Instant::now();
        let verdict = judge(file, &of(fault), fault)?;
        Ok((verdict, start.elapsed().as_secs_f64()))
    };
    parallel::in_order(&faults, look, |fault, (verdict, seconds)| {
        found += usize::from(verdict.is_refuted());
        println!("{seconds:6.1} s  {}: {verdict}", fault.name);
        Ok(())
    })?;
    println!("{found} of {} planted faults are refuted with a frame", faults.len());
    Ok(found == faults.len())
}

/// What comes of the program with this fault.
fn judge(file: &[u8], program: &str, fault: &Fault) -> Result<Verdict> {
    let image = Image::read(file)?;
    let (changed, number) = plant(&image, program, fault)?;
    Case { file, image: &image, program, changed: &changed, number }.judge()
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
