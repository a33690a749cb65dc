//! Faults planted in the object, to see that each is found. They are described by what an instruction does, not by its
//! number, so that most of them fit the next build as well; one that fits nothing is an error.

use anyhow::{Context as _, Result, ensure};

use crate::{
    image::Image,
    insn::{Alu, Insn, Operation, Source, Test},
    theorem::{GENERAL, Prover},
};

/// Which function is changed.
#[derive(Clone, Copy, Debug)]
enum Where {
    Fast,
    General,
}

use Where::{Fast, General};

/// A fault: in the function, the instruction that fits (counted from 0) is changed.
struct Fault {
    name: &'static str,
    place: Where,
    fits: fn(&Insn, Operation) -> bool,
    count: usize,
    change: fn(&mut Insn),
}

const fn fault(
    name: &'static str,
    place: Where,
    fits: fn(&Insn, Operation) -> bool,
    count: usize,
    change: fn(&mut Insn),
) -> Fault {
    Fault { name, place, fits, count, change }
}

/// Whether it loads so many bytes from so far.
fn loads(insn: &Insn, operation: Operation, size: u32, off: i16) -> bool {
    operation == Operation::Load { size } && insn.off == off
}

fn stores(insn: &Insn, operation: Operation, size: u32, off: i16) -> bool {
    insn.off == off && insn.dst != 10 && matches!(operation, Operation::Store { size: stored, .. } if stored == size)
}

fn calculates(operation: Operation, wanted: Alu, constant: i64) -> bool {
    let constant = Source::Constant(constant as u64);
    matches!(operation, Operation::Alu { op, source, .. } if op == wanted && source == constant)
}

fn compares(operation: Operation, wanted: Test, constant: u64) -> bool {
    let constant = Source::Constant(constant);
    matches!(operation, Operation::Jump { test, source, .. } if test == wanted && source == constant)
}

fn loads_constant(insn: &Insn, operation: Operation, constant: u64) -> bool {
    operation == Operation::LoadConstant && insn.symbol.is_none() && insn.wide_constant() == constant
}

fn loads_symbol(insn: &Insn, name: &str) -> bool {
    insn.symbol.as_deref().is_some_and(|symbol| symbol.ends_with(name))
}

/// IPv4's type, version and header length: what is looked at, and what it must be.
const KIND: i64 = 0x00ff_ffff;
const FITS: u64 = 0x0045_0008;
/// The fragment bits and the protocol.
const FRAGMENT: u64 = 0xff00_ff3f;

const FAULTS: [Fault; 21] = [
    fault("ports are read four bytes too early", Fast, |i, o| loads(i, o, 4, 34), 0, |i| i.off = 30),
    fault("IPv6 ports are read from elsewhere", Fast, |i, o| loads(i, o, 4, 54), 0, |i| i.off = 50),
    fault("the source address is read for the destination", Fast, |i, o| loads(i, o, 4, 30), 0, |i| i.off = 26),
    fault("the frame's length is checked for less", Fast, |_, o| calculates(o, Alu::Add, 38), 0, |i| i.imm = 22),
    fault("the IP length may pass the frame's end", Fast, |_, o| calculates(o, Alu::Add, 14), 0, |i| i.imm = 13),
    fault("the IP length need not reach the ports", Fast, |_, o| calculates(o, Alu::Mov, 24), 0, |i| i.imm = 20),
    fault("half the EtherType is looked at", Fast, |_, o| calculates(o, Alu::And, KIND), 0, |i| i.imm = 0x00ff_00ff),
    fault("IPv4 options are taken for ports", Fast, |_, o| compares(o, Test::NotEqual, FITS), 0, |i| i.imm = 0x46_0008),
    fault(
        "fragments with a small offset count as whole",
        Fast,
        |i, o| loads_constant(i, o, FRAGMENT),
        0,
        |i| {
            i.imm = 0xff00_003f_u32 as i32;
        },
    ),
    fault("standby is not seen", Fast, |_, o| calculates(o, Alu::And, 2), 0, |i| i.imm = 0x40),
    fault("the other half is read", Fast, |_, o| calculates(o, Alu::And, 1), 0, |i| i.imm = 2),
    fault("the seed lacks a bit", Fast, |_, o| calculates(o, Alu::And, 65535), 0, |i| i.imm = 65534),
    fault("another MAC half is stored", Fast, |_, o| calculates(o, Alu::Shr, 16), 0, |i| i.imm = 32),
    fault("MAC halves are swapped", Fast, |i, o| stores(i, o, 4, 8), 0, |i| i.off = 0),
    fault("half the bytes are counted", Fast, |_, o| calculates(o, Alu::Shl, 10), 0, |i| i.imm = 9),
    fault("two packets are counted", Fast, |i, o| calculates(o, Alu::Add, 1) && i.dst == 3, 0, |i| i.imm = 2),
    fault("no service is counted as something else", Fast, |_, o| calculates(o, Alu::Or, 10), 0, |i| i.imm = 9),
    fault("the first slot is taken for the first counter", Fast, |i, o| loads(i, o, 4, 28), 0, |i| i.off = 24),
    fault("prefixes are forgotten", Fast, |_, o| calculates(o, Alu::And, 28), 0, |i| i.imm = 12),
    fault(
        "another table's length is the limit",
        Fast,
        |i, _| loads_symbol(i, "ALL_COUNTERS"),
        0,
        |i| {
            i.symbol = Some("modlb_constant_SLOTS".into());
        },
    ),
    fault("general path: VRRP's MACs for IPv4 alone", General, |_, o| compares(o, Test::Greater, 1), 0, |i| i.imm = 0),
];

/// Plants each with this word in its name in turn; whether all were refuted by a frame that shows it.
pub fn run(image: &Image, program: &str, word: &str) -> Result<bool> {
    let mut found = 0;
    let faults: Vec<_> = FAULTS.iter().filter(|fault| fault.name.contains(word)).collect();
    ensure!(!faults.is_empty(), "no planted fault has {word} in its name");
    for fault in &faults {
        let (changed, number) = plant(image, program, fault)?;
        let start = std::time::Instant::now();
        let mut prover = Prover::new(&changed, program, |_, _, _| {})?;
        prover.focus(number);
        let result = prover.run();
        let shown = prover.refutations.iter().find(|refutation| refutation.is_confirmed());
        let verdict = match (&shown, result) {
            (Some(refutation), _) => format!("refuted, {} bytes show it", refutation.frame_length()),
            (None, Ok(())) if prover.refutations.is_empty() => "NOT FOUND".to_owned(),
            (None, Ok(())) => "refuted, but no frame shows it".to_owned(),
            (None, Err(error)) => format!("neither proven nor refuted: {error:#}"),
        };
        found += usize::from(shown.is_some());
        println!("{:6.1} s  {}: {verdict}", start.elapsed().as_secs_f64(), fault.name);
        if let Some(refutation) = shown {
            println!("          {}", refutation.what);
        }
    }
    println!("{found} of {} planted faults are refuted with a frame", faults.len());
    Ok(found == faults.len())
}

fn plant(image: &Image, program: &str, fault: &Fault) -> Result<(Image, usize)> {
    let first = match fault.place {
        Fast => image.function(program)?,
        General => image.called(program, GENERAL)?,
    };
    let fits = |number: &usize| {
        let insn = &image.code[*number];
        insn.operation().is_ok_and(|operation| (fault.fits)(insn, operation))
    };
    let number = image.body(first).filter(fits).nth(fault.count);
    let number = number.with_context(|| format!("\"{}\" fits no instruction of {program}", fault.name))?;
    let mut changed = image.clone();
    (fault.change)(&mut changed.code[number]);
    Ok((changed, number))
}
