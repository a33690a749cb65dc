//! How long the program takes with two interfaces, and with prefixes.

use anyhow::Result;

use crate::{
    case::{self, Case},
    driver::Driver,
    floor::{self, Floors},
    frame::{Family, Shape, Spread},
    gateway::Gateway,
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
    rounds::{Length, Subject},
    table::{Kind, Nest, Table},
};

const SPREADS: [Spread; 2] = [Spread::HOT, Spread::MANY];

/// The most nanoseconds that a packet may take, whatever prefixes there are, with all that is measured besides.
const WORST: f64 = 300.0;

/// A service at each of the 256 addresses.
const fn usual(family: Family, kind: Kind) -> Table {
    Table { services: 256, ..Table::usual(family, kind) }
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let length = Length::new(options.quick);
    let (mut driver, floors) = floor::load(length.instances)?;
    let mut work = Work { options, driver: &mut driver, floors, progress, instances: length.instances };
    let (mut cases, mut gateways) = (Vec::new(), Vec::new());
    for family in [Family::V4, Family::V6] {
        let one = work.attach(usual(family, Kind::Port))?;
        let two = work.attach(Table { exit: true, ..one.table })?;
        cases.extend(work.two_interfaces(&one, &two)?);
        gateways.push(two);
        let all = match family {
            Family::V4 => 31,
            Family::V6 => 127,
        };
        for (count, target) in [(1, 1.6), (8, 2.0), (31, 3.0)] {
            let gateway = work.attach(usual(family, Kind::Prefix(count)))?;
            cases.extend(work.match_of(&gateway, count, target)?);
            gateways.push(gateway);
        }
        for nest in [Nest::Elsewhere, Nest::Around] {
            let table = Table { services: 0, ..usual(family, Kind::Nested(all, nest)) };
            let gateway = work.attach(table)?;
            cases.extend(work.miss_of(&gateway, &one, all, nest)?);
            gateways.push(gateway);
        }
        gateways.push(one);
    }
    progress.step("paths: measuring");
    case::measure(Group::Paths, &cases, &mut driver, &floors, length, progress)
}

struct Work<'a> {
    options: &'a Options,
    driver: &'a mut Driver,
    floors: Floors,
    progress: &'a mut Progress,
    instances: usize,
}

impl Work<'_> {
    fn attach(&mut self, table: Table) -> Result<Gateway> {
        let ways = if table.exit { "two interfaces" } else { "one interface" };
        self.progress.step(format!("paths: attaching for {}, {:?}, {ways}", table.family.name(), table.kind));
        Gateway::new(&self.options.modlb, self.driver, table, self.instances)
    }

    /// Servers behind the interface that packets come by, and behind the other one.
    fn two_interfaces(&mut self, one: &Gateway, two: &Gateway) -> Result<Vec<Case>> {
        let (family, mut cases) = (one.table.family, Vec::new());
        let shape = Shape::tcp(family);
        for spread in SPREADS {
            one.check_forwards(self.driver, self.floors.empty, &shape, spread)?;
            two.check_forwards(self.driver, self.floors.empty, &shape, spread)?;
            let reference = Subject { slot: one.slot, shape, spread };
            for (what, slot, target) in [("the same", two.exit, 1.10), ("the other", Some(two.slot), 1.35)] {
                let Some(slot) = slot else { continue };
                let name = format!("{} TCP, two interfaces, server behind {what}", family.name());
                let case = Case::new(&name, Subject { slot, shape, spread });
                cases.push(case.against("one interface", reference).at_most(target));
            }
        }
        Ok(cases)
    }

    /// Packets of prefix services, with this many lengths in use.
    fn match_of(&mut self, gateway: &Gateway, count: u32, target: f64) -> Result<Vec<Case>> {
        let family = gateway.table.family;
        let shape = Shape { stride: gateway.table.stride(), ..Shape::tcp(family) };
        let mut cases = Vec::new();
        for spread in SPREADS {
            gateway.check_forwards(self.driver, self.floors.empty, &shape, spread)?;
            let floor = Subject { slot: self.floors.rewrite, shape: Shape::tcp(family), spread };
            let lengths = if count == 1 { "length" } else { "lengths" };
            let name = format!("{} TCP, prefix service, {count} {lengths} in use", family.name());
            let case = Case::new(&name, Subject { slot: gateway.slot, shape, spread });
            cases.push(case.against("floor", floor).at_most(target));
        }
        Ok(cases)
    }

    /// Packets that nothing matches.
    fn miss_of(&mut self, gateway: &Gateway, one: &Gateway, count: u32, nest: Nest) -> Result<Vec<Case>> {
        let family = gateway.table.family;
        // Addresses after those of all services.
        let shape = Shape { first: 0x8000, ..Shape::tcp(family) };
        let mut cases = Vec::new();
        for spread in SPREADS {
            gateway.check_passes(self.driver, self.floors.empty, &shape, spread)?;
            let subject = Subject { slot: gateway.slot, shape, spread };
            let name = format!("{} no match, {count} prefix lengths in use", family.name());
            cases.push(match nest {
                Nest::Elsewhere => {
                    let without = Subject { slot: one.slot, shape, spread };
                    Case::new(&name, subject).against("without prefixes", without).at_most(1.3)
                }
                Nest::Around => {
                    let case = Case::new(&format!("{name}, the worst case"), subject);
                    Case { target: Some(Target::AtMost(WORST)), ..case }
                }
            });
        }
        Ok(cases)
    }
}
