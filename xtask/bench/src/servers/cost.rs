//! How long role `keep` takes for a packet, without the time of an empty program.

use anyhow::{Result, ensure};
use lb_common::outcome::Outcome;

use super::{
    connections::Connections,
    host::{Instances, Servers, other},
};
use crate::{
    driver::{Driver, Slot},
    floor::{self, Floors},
    frame::{Family, Segment, Shape, Spread},
    namespace::Namespace,
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
    rounds::{self, Length, Subject},
};

/// 65,536 clients of one service.
const CLIENTS: Spread = Spread { clients: 0xffff, services: 0 };

/// Sockets in the kernel's table, for a few connections and for many.
const FEW: usize = 2;
const MANY: usize = 1_000_000;
const MANY_QUICK: usize = 150_000;

/// What may be the lot of a packet, with the most nanoseconds that it may take.
const NOBODY_ELSE: Target = Target::AtMost(40.0);
const HELD: Target = Target::AtMost(250.0);
const HANDED_ON: Target = Target::AtMost(400.0);

/// A future row.
struct Case<'a> {
    name: String,
    instances: &'a Instances,
    shape: Shape,
    spread: Spread,
    outcome: Outcome,
    target: Option<Target>,
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let length = Length::new(options.quick);
    let (mut driver, floors) = floor::load(length.instances)?;
    let namespace = Namespace::new("server")?;
    let mut attached = Vec::new();
    for (family, letter) in [(Family::V4, "f"), (Family::V6, "s")] {
        progress.step(format!("servers: attaching for {}", family.name()));
        let mut attach = |label, servers| {
            let label = format!("{label}{letter}");
            Instances::new(&options.modlb, &namespace, &mut driver, (&label, family, servers), length.instances)
        };
        attached.push((family, attach("one", Servers::One)?, attach("many", Servers::Many)?));
    }
    let mut connections = Connections::new(&namespace)?;
    let many = if options.quick { MANY_QUICK } else { MANY };
    let mut rows = Vec::new();
    for sockets in [FEW, many] {
        progress.step(format!("servers: making {sockets} sockets"));
        connections.grow(&namespace, sockets, progress)?;
        let cases: Vec<_> =
            attached.iter().flat_map(|(family, one, many)| cases(*family, one, many, connections.sockets())).collect();
        progress.step(format!("servers: measuring with {sockets} sockets"));
        rows.extend(namespace.within(|| measure(&cases, &mut driver, &floors, length, progress))?);
    }
    Ok(rows)
}

fn cases<'a>(family: Family, one: &'a Instances, many: &'a Instances, sockets: usize) -> Vec<Case<'a>> {
    let ack = Shape { segment: Segment::Ack, ..Shape::tcp(family) };
    // Nobody is connected to the second service.
    let elsewhere = Shape { first: 1, ..ack };
    let stray = Shape { segment: Segment::HandedOn(other(), 18), ..elsewhere };
    let case = |what: &str, instances, shape, spread: Spread, outcome, target| Case {
        name: format!("{} {what}, {sockets} sockets, {}", family.name(), spread.name()),
        instances,
        shape,
        spread,
        outcome,
        target,
    };
    let mut cases = vec![
        case("held here", many, ack, Spread::HOT, Outcome::Kept, Some(HELD)),
        case("handed on", many, elsewhere, Spread::HOT, Outcome::HandedOn, Some(HANDED_ON)),
        case("handed on", many, elsewhere, CLIENTS, Outcome::HandedOn, Some(HANDED_ON)),
        case("stray at its last server", many, stray, Spread::HOT, Outcome::TakenLast, None),
    ];
    if sockets == FEW {
        cases.push(case("nobody else", one, ack, Spread::HOT, Outcome::Local, Some(NOBODY_ELSE)));
        cases.push(case("nobody else", one, ack, CLIENTS, Outcome::Local, Some(NOBODY_ELSE)));
    } else {
        cases.push(case("held here", many, ack, CLIENTS, Outcome::Kept, Some(HELD)));
    }
    cases
}

/// Measures on a thread in the namespace, where sockets are looked up.
fn measure(
    cases: &[Case<'_>],
    driver: &mut Driver,
    floors: &Floors,
    length: Length,
    progress: &mut Progress,
) -> Result<Vec<Row>> {
    let empty = floors.egress_empty;
    for Case { instances, shape, spread, outcome, .. } in cases {
        instances.check(driver, empty, shape, *spread, *outcome)?;
    }
    // The limit of hand-ons must not pass any at once. Strays are passed as well, so they come later.
    let (strays, others): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.outcome == Outcome::TakenLast);
    let passed = || others.iter().map(|case| case.instances.passed_last()).sum::<Result<u64>>();
    let before = passed()?;
    let mut rows = time(&others, driver, empty, length, progress)?;
    ensure!(passed()? == before, "packets that should have been handed on were passed");
    rows.extend(time(&strays, driver, empty, length, progress)?);
    Ok(rows)
}

fn time(
    cases: &[&Case<'_>],
    driver: &mut Driver,
    empty: Slot,
    length: Length,
    progress: &mut Progress,
) -> Result<Vec<Row>> {
    let subject = |case: &Case<'_>| Subject { slot: case.instances.slot, shape: case.shape, spread: case.spread };
    let nothing = |case: &Case<'_>| Subject { slot: empty, ..subject(case) };
    let all = cases.iter().flat_map(|case| [subject(case), nothing(case)]);
    let times = rounds::measure(driver, all, length, progress)?;
    let row = |case: &Case<'_>| {
        let rounds = times.of(&subject(case)).iter().zip(times.of(&nothing(case)));
        let net: Vec<_> = rounds.map(|(time, nothing)| time - nothing).collect();
        let row = Row::new(Group::Servers, &case.name, "ns", &net);
        case.target.map_or(row.clone(), |target| row.with_target(target))
    };
    Ok(cases.iter().copied().map(row).collect())
}
