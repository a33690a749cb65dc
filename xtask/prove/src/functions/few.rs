//! The lemma about the shortcut: what few cells tell of a flow's service is what the rule of the search says. No
//! program is run: both are rules.

use anyhow::{Context as _, Result, bail};

use crate::{
    domain::Stop,
    programs::Kind,
    specification::{
        lookup::{
            cell,
            few::{self, Few},
            hash::Halves,
        },
        world::{Halt, Ruled, Search, World},
    },
    symbolic::Symbolic,
    term::Term,
};

/// A rule of the shortcut.
pub type Shortcut = fn(&mut World<'_>, Halves, Term, Term) -> Ruled<Few>;

/// What came of it.
#[derive(Debug, Default)]
pub struct Compared {
    /// Cases in which few cells tell.
    pub cases: u64,
    pub refutations: Vec<String>,
}

/// Compares both in all cases. An error: nothing is proven.
pub fn compare(shortcut: Shortcut) -> Result<(Compared, Symbolic)> {
    let mut domain = Symbolic::new(Kind::Buffer)?;
    for condition in cell::sizes(&mut domain).context("a number is not known")? {
        domain.assume(condition)?;
    }
    let arguments = [0, 1, 2, 3].map(|place| domain.terms.unknown(&format!("argument {place}"), 64));
    let mut compared = Compared::default();
    cases(&mut domain, shortcut, &arguments, &mut compared)?;
    Ok((compared, domain))
}

/// What is known here, and where it is not enough, what is known on both sides of what is asked.
fn cases(domain: &mut Symbolic, shortcut: Shortcut, arguments: &[Term; 4], compared: &mut Compared) -> Result<()> {
    let (depth, facts) = (domain.solver.depth(), domain.facts.clone());
    domain.solver.push()?;
    let agree = agree(&mut World::new(domain, true, Search::Few), shortcut, arguments);
    domain.solver.back_to(depth)?;
    domain.facts = facts.clone();
    let condition = match agree {
        Ok(None) => return Ok(()),
        Ok(Some(agree)) => {
            compared.cases += 1;
            if !agree && compared.refutations.is_empty() {
                compared.refutations.push("few cells tell something else than the search returns".into());
            }
            return Ok(());
        }
        Err(Halt::Stop(Stop::Fork(condition))) => condition,
        Err(Halt::Stop(Stop::Failed(what) | Stop::Fault(what))) => bail!(what),
        Err(Halt::Outcome(outcome)) => bail!("a search has the outcome {outcome:?}"),
    };
    let opposite = domain.terms.not(condition);
    for condition in [condition, opposite] {
        domain.solver.push()?;
        domain.assume(condition)?;
        cases(domain, shortcut, arguments, compared)?;
        domain.solver.back_to(depth)?;
        domain.facts = facts.clone();
    }
    Ok(())
}

/// Whether both agree; `None`: few cells do not tell, or they are not asked.
fn agree(world: &mut World<'_>, shortcut: Shortcut, arguments: &[Term; 4]) -> Ruled<Option<bool>> {
    let [high, low, lookup, control] = *arguments;
    if !few::is_asked(world, lookup)? {
        return Ok(None);
    }
    few::assume_family(world, arguments)?;
    let few = shortcut(world, [high, low], lookup, control)?;
    let Some(told) = few::told(world, few, arguments) else { return Ok(None) };
    few::assume_fields(world, arguments)?;
    let Some(whole) = few::whole(world, arguments)? else { return Ok(Some(false)) };
    if !world.domain.solver.is_possible().map_err(|error| Stop::Failed(format!("{error:#}")))? {
        return Err(Stop::Failed("rules contradict each other".into()).into());
    }
    let is_it = world.domain.terms.equal(told, whole);
    Ok(Some(world.domain.holds(is_it)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuted(shortcut: Shortcut) -> bool {
        let (compared, _) = compare(shortcut).unwrap();
        assert!(compared.cases > 0);
        !compared.refutations.is_empty()
    }

    #[test]
    fn few_cells_tell_the_same() {
        assert!(!refuted(few::few));
    }

    #[test]
    fn a_shortcut_that_forgets_prefixes_is_refuted() {
        assert!(refuted(|world, halves, lookup, control| {
            let few = few::few(world, halves, lookup, control)?;
            Ok(if matches!(few, Few::Prefix) { Few::Nothing } else { few })
        }));
    }

    #[test]
    fn a_shortcut_to_the_next_cell_is_refuted() {
        assert!(refuted(|world, halves, lookup, control| {
            Ok(match few::few(world, halves, lookup, control)? {
                Few::Cell(number) => Few::Cell(world.plus(number, 1)),
                few => few,
            })
        }));
    }
}
