//! A small function with a loop, and rules that it keeps or not.

use crate::{
    contracts::{Argument, FUNCTIONS},
    functions::prover::Prover,
    image::tests::image,
    programs::Kind,
    specification::{
        self,
        call::{self, Round, Rule, Step, parts},
        world::{Ruled, World},
    },
    term::Term,
};

/// The sum of so many times the first argument.
const FOUR_TIMES: Rule = Rule { name: "four times", start, round: up_to::<4>, invariant: call::nothing };
const THREE_TIMES: Rule = Rule { name: "three times", start, round: up_to::<3>, invariant: call::nothing };
/// The same, and wrongly that sums are below 7.
const BOUNDED: Rule = Rule { name: "bounded", start, round: up_to::<4>, invariant: is_below_seven };

fn start(world: &mut World<'_>, _: &[Term]) -> Ruled<Step> {
    Ok(Step::round(0, [world.constant(0)]))
}

fn up_to<const MOST: u64>(world: &mut World<'_>, arguments: &[Term], round: &Round) -> Ruled<Step> {
    let ([number], [sum]) = (parts(arguments)?, parts(&round.state)?);
    if round.number == MOST {
        return Ok(Step::Returns(sum));
    }
    Ok(Step::round(round.number + 1, [world.add(sum, number)]))
}

fn is_below_seven(world: &mut World<'_>, round: &Round) -> Vec<Term> {
    let seven = world.constant(7);
    vec![world.domain.terms.less(round.state[0], seven)]
}

#[test]
fn every_function_with_a_contract_has_a_rule() {
    for function in FUNCTIONS {
        assert!(specification::rule(function.name).is_some(), "{}", function.name);
    }
}

const SUM_IS_NOTHING: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];
const FOUR_ROUNDS: [u8; 8] = [0xb7, 2, 0, 0, 4, 0, 0, 0];
const LEAVE_AT_NOTHING: [u8; 8] = [0x15, 2, 3, 0, 0, 0, 0, 0];
const ADD: [u8; 8] = [0x0f, 0x10, 0, 0, 0, 0, 0, 0];
const COUNT: [u8; 8] = [0x07, 2, 0, 0, 0xff, 0xff, 0xff, 0xff];
const AGAIN: [u8; 8] = [0x05, 0, 0xfc, 0xff, 0, 0, 0, 0];
const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// What refutes that it keeps the rule; and how many places with a round were looked at.
fn refuted(rule: &'static Rule, code: &[[u8; 8]]) -> (Vec<String>, u64) {
    let image = image(code);
    let mut prover = Prover::by_rule(&image, (0, Kind::Buffer), rule, &[Argument::Number]).unwrap();
    prover.run().unwrap();
    (prover.refutations, prover.counts.bodies)
}

const LOOP: [[u8; 8]; 7] = [SUM_IS_NOTHING, FOUR_ROUNDS, LEAVE_AT_NOTHING, ADD, COUNT, AGAIN, EXIT];

#[test]
fn a_rule_is_kept_round_by_round() {
    // The start, and the loop's head in five rounds.
    assert_eq!(refuted(&FOUR_TIMES, &LOOP), (vec![], 6));
}

#[test]
fn a_round_more_or_less_is_seen() {
    let (refutations, _) = refuted(&THREE_TIMES, &LOOP);
    assert_eq!(refutations, ["it returns something else, from round 3 on"]);
}

#[test]
fn what_holds_where_a_round_begins_is_proven() {
    let (refutations, _) = refuted(&BOUNDED, &LOOP);
    assert_eq!(refutations, ["round 1 begins where it must not, from round 0 on"]);
}

#[test]
fn a_function_writes_nothing() {
    let mut image = image(&[[0x18, 3, 0, 0, 0, 0, 0, 0], [0; 8], [0x7b, 0x13, 0, 0, 0, 0, 0, 0], SUM_IS_NOTHING, EXIT]);
    image.code[0].symbol = Some("modlb_table_CELLS".into());
    const NOTHING: Rule = Rule::at_once("nothing", |world, _| Ok(Step::Returns(world.constant(0))));
    let mut prover = Prover::by_rule(&image, (0, Kind::Buffer), &NOTHING, &[Argument::Number]).unwrap();
    prover.run().unwrap();
    assert_eq!(prover.refutations, ["something is written, from the start on"]);
}
