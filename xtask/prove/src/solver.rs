//! The solver: a program that is told conditions as text over a pipe, and says whether they can all hold.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    smtlib::{self, Function},
    term::{Term, Terms},
};

/// How long one question may take. What takes longer is not proven.
pub const LIMIT_MS: u32 = 120_000;

/// The same where a changed program is looked at: for what is harmless, questions are soon answered.
pub const SHORT_MS: u32 = 5_000;

#[derive(Debug)]
pub struct Solver {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
    defined: HashSet<Term>,
    declared: HashSet<Function>,
    /// What was asserted, and how much of it at each depth.
    asserted: Vec<Term>,
    depths: Vec<usize>,
    /// How often it was asked.
    pub questions: u64,
}

impl Solver {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let mut child = Command::new("z3")
            .args(["-in", "-smt2"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run z3; `cargo xtask setup` installs it")?;
        let (input, output) = (child.stdin.take().context("no pipe")?, child.stdout.take().context("no pipe")?);
        let mut solver = Self {
            child,
            input: BufWriter::new(input),
            output: BufReader::new(output),
            defined: HashSet::new(),
            declared: HashSet::new(),
            asserted: Vec::new(),
            depths: Vec::new(),
            questions: 0,
        };
        // A definition that is made at some depth stays known above it.
        solver.tell("(set-option :global-declarations true)")?;
        solver.tell(&format!("(set-option :timeout {LIMIT_MS})"))?;
        solver.tell("(set-logic QF_UFBV)")?;
        Ok(solver)
    }

    /// How long one question may take from now on.
    pub fn limit(&mut self, milliseconds: u32) -> Result<()> {
        self.tell(&format!("(set-option :timeout {milliseconds})"))
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn tell(&mut self, text: &str) -> Result<()> {
        writeln!(self.input, "{text}").context("z3 has ended")
    }

    fn answer(&mut self) -> Result<String> {
        self.input.flush().context("z3 has ended")?;
        let mut answer = String::new();
        loop {
            ensure!(self.output.read_line(&mut answer)? > 0, "z3 has ended");
            let open = answer.matches('(').count();
            if open == answer.matches(')').count() {
                return Ok(answer.trim().to_owned());
            }
        }
    }

    fn define(&mut self, terms: &Terms, term: Term) -> Result<()> {
        if self.defined.contains(&term) || terms.known(term).is_some() {
            return Ok(());
        }
        // Without recursion, arguments first.
        let mut work = vec![(term, false)];
        while let Some((term, ready)) = work.pop() {
            if self.defined.contains(&term) || terms.known(term).is_some() {
                continue;
            }
            if !ready {
                work.push((term, true));
                work.extend(terms.arguments(term).into_iter().map(|argument| (argument, false)));
                continue;
            }
            for function in smtlib::functions(terms, term) {
                if self.declared.insert(function.clone()) {
                    let arguments: Vec<_> = function.arguments.iter().map(|width| smtlib::sort(*width)).collect();
                    let (arguments, value) = (arguments.join(" "), smtlib::sort(function.value));
                    self.tell(&format!("(declare-fun {} ({arguments}) {value})", function.name))?;
                }
            }
            let (name, sort) = (smtlib::name(terms, term), smtlib::sort(terms.width(term)));
            self.tell(&format!("(define-fun {name} () {sort} {})", smtlib::definition(terms, term)))?;
            self.defined.insert(term);
        }
        Ok(())
    }

    /// How many times `push` was called and not taken back.
    pub const fn depth(&self) -> usize {
        self.depths.len()
    }

    pub fn push(&mut self) -> Result<()> {
        self.depths.push(self.asserted.len());
        self.tell("(push 1)")
    }

    /// Takes back what was asserted above a depth.
    pub fn back_to(&mut self, depth: usize) -> Result<()> {
        let levels = self.depths.len() - depth;
        if levels > 0 {
            self.asserted.truncate(self.depths[depth]);
            self.depths.truncate(depth);
            self.tell(&format!("(pop {levels})"))?;
        }
        Ok(())
    }

    pub fn assert(&mut self, terms: &Terms, condition: Term) -> Result<()> {
        self.define(terms, condition)?;
        self.asserted.push(condition);
        self.tell(&format!("(assert {})", smtlib::name(terms, condition)))
    }

    /// What holds here.
    pub fn asserted(&self) -> &[Term] {
        &self.asserted
    }

    /// Whether all that was asserted can hold.
    pub fn is_possible(&mut self) -> Result<bool> {
        self.questions += 1;
        self.tell("(check-sat)")?;
        match self.answer()?.as_str() {
            "sat" => Ok(true),
            "unsat" => Ok(false),
            other => bail!("z3 says neither yes nor no: {other}"),
        }
    }

    /// Whether a condition can hold as well.
    pub fn can_hold(&mut self, terms: &Terms, condition: Term) -> Result<bool> {
        let depth = self.depth();
        self.push()?;
        self.assert(terms, condition)?;
        let answer = self.is_possible();
        self.back_to(depth)?;
        answer
    }

    /// Values in the example that the last answer was about. Terms must be part of what was asserted.
    pub fn values(&mut self, terms: &Terms, of: &[Term]) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        for &term in of {
            if let Some(value) = terms.known(term) {
                values.push(value);
                continue;
            }
            ensure!(self.defined.contains(&term), "a value of what z3 was not told");
            let name = smtlib::name(terms, term);
            self.tell(&format!("(get-value ({name}))"))?;
            let answer = self.answer()?;
            let value = answer.trim_matches(['(', ')']).strip_prefix(&name).map(str::trim);
            let number = value.and_then(|value| {
                let hex = value.strip_prefix("#x").map(|digits| u64::from_str_radix(digits, 16));
                hex.or_else(|| value.strip_prefix("#b").map(|digits| u64::from_str_radix(digits, 2)))
            });
            values.push(number.with_context(|| format!("z3 says {answer}"))??);
        }
        Ok(values)
    }

    /// Makes a term known that was not asserted, before the question whose answer it is read from.
    pub fn prepare(&mut self, terms: &Terms, term: Term) -> Result<()> {
        self.define(terms, term)
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        let _ = self.tell("(exit)").and_then(|()| Ok(self.input.flush()?));
        let _ = self.child.wait();
    }
}
