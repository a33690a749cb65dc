//! How long the program takes for a packet.

use std::path::Path;

use anyhow::Result;

use crate::{
    case::{self, Case},
    driver::Driver,
    floor::{self, Floors},
    frame::{Family, Shape, Spread, UDP},
    gateway::Gateway,
    options::Options,
    progress::Progress,
    result::{Group, Row},
    rounds::{Length, Subject},
    table::{Kind, Pool, Role, Table},
};

/// Both loads.
const SPREADS: [Spread; 2] = [Spread::HOT, Spread::MANY];

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let length = Length::new(options.quick);
    let (mut driver, floors) = floor::load(length.instances)?;
    let mut work = Work { modlb: &options.modlb, driver: &mut driver, floors, instances: length.instances };
    let mut cases = Vec::new();
    let mut gateways = Vec::new();
    for family in [Family::V4, Family::V6] {
        cases.extend(work.bare(family)?);
        for kind in [Kind::Port, Kind::Portless, Kind::Prefix(1)] {
            progress.step(format!("program: attaching for {}, {kind:?}", family.name()));
            let (gateway, more) = work.gateway(family, kind)?;
            gateways.push(gateway);
            cases.extend(more);
        }
        for (pool, what, target) in POOLS {
            progress.step(format!("program: attaching for {}, {what}", family.name()));
            let (gateway, case) = work.pool(family, pool, what, target)?;
            gateways.push(gateway);
            cases.push(case);
        }
        progress.step(format!("program: attaching for {}, a member", family.name()));
        let (gateway, more) = work.member(family)?;
        gateways.push(gateway);
        cases.extend(more);
        progress.step(format!("program: attaching for {}, a steering server", family.name()));
        let (gateway, more) = work.steer(family)?;
        gateways.push(gateway);
        cases.extend(more);
    }
    progress.step("program: measuring");
    case::measure(Group::Program, &cases, &mut driver, &floors, length, progress)
}

/// The same servers in all services, whose equal tables are stored once; and what many flows may then take.
const POOLS: [(Pool, &str, f64); 2] =
    [(Pool::Shared, "one pool", 1.20), (Pool::OneDown, "one pool, one server down", 1.25)];

/// The reference of most ratios.
const FLOOR: &str = "floor";

/// The reference of ratios of role `steer`.
const EGRESS_FLOOR: &str = "egress floor";

struct Work<'a> {
    modlb: &'a Path,
    driver: &'a mut Driver,
    floors: Floors,
    instances: usize,
}

impl Work<'_> {
    /// The programs that modlb is compared with.
    fn bare(&mut self, family: Family) -> Result<Vec<Case>> {
        let (shape, name, floors) = (Shape::tcp(family), family.name(), self.floors);
        let mut cases = Vec::new();
        for spread in SPREADS {
            floors.check(self.driver, &shape, spread)?;
            for (what, slot) in [
                ("return XDP_TX (empty)", floors.empty),
                ("MAC rewrite (floor)", floors.rewrite),
                ("parse + MAC rewrite", floors.parse_and_rewrite),
                ("parse + pass", floors.parse_and_pass),
            ] {
                let case = Case::new(&format!("{name}: {what}"), Subject { slot, shape, spread });
                let floor = Subject { slot: floors.rewrite, shape, spread };
                cases.push(if slot == floors.rewrite { case } else { case.against(FLOOR, floor) });
            }
        }
        Ok(cases)
    }

    /// Each kind of services has its own instances, since a kind in use costs those that are looked up after it.
    fn gateway(&mut self, family: Family, kind: Kind) -> Result<(Gateway, Vec<Case>)> {
        let table = Table::usual(family, kind);
        let gateway = Gateway::new(self.modlb, self.driver, table, self.instances)?;
        let mut cases = Vec::new();
        for (what, shape, targets) in forwarded(family, &table) {
            for (number, spread) in SPREADS.into_iter().enumerate() {
                gateway.check_forwards(self.driver, self.floors.empty, &shape, spread)?;
                let floor = Subject { slot: self.floors.rewrite, shape: Shape::tcp(family), spread };
                let case =
                    Case::new(&format!("{} {what}", family.name()), Subject { slot: gateway.slot, shape, spread });
                let case = case.against(FLOOR, floor);
                cases.push(targets.map_or(case.clone(), |targets| case.at_most(targets[number])));
            }
        }
        if kind == Kind::Port {
            // Addresses after those of all services.
            let shape = Shape { first: 0x8000, ..Shape::tcp(family) };
            for (spread, target) in SPREADS.into_iter().zip([1.20, 1.35]) {
                gateway.check_passes(self.driver, self.floors.empty, &shape, spread)?;
                let name = format!("{} no match", family.name());
                let pass = Subject { slot: self.floors.parse_and_pass, shape, spread };
                let case = Case::new(&name, Subject { slot: gateway.slot, shape, spread });
                cases.push(case.against("parse + pass", pass).at_most(target));
            }
        }
        Ok((gateway, cases))
    }

    /// As many services with one pool of servers. One flow's packets touch as much as those of other services do.
    fn pool(&mut self, family: Family, pool: Pool, what: &str, target: f64) -> Result<(Gateway, Case)> {
        let table = Table { pool, ..Table::usual(family, Kind::Port) };
        let gateway = Gateway::new(self.modlb, self.driver, table, self.instances)?;
        let (shape, spread) = (Shape::tcp(family), Spread::MANY);
        gateway.check_forwards(self.driver, self.floors.empty, &shape, spread)?;
        let floor = Subject { slot: self.floors.rewrite, shape, spread };
        let case = Case::new(&format!("{} TCP, {what}", family.name()), Subject { slot: gateway.slot, shape, spread });
        Ok((gateway, case.against(FLOOR, floor).at_most(target)))
    }

    /// A member of a group of 101, so nearly all packets belong to others.
    fn member(&mut self, family: Family) -> Result<(Gateway, Vec<Case>)> {
        let table = Table { role: Role::Member, ..Table::usual(family, Kind::Port) };
        let gateway = Gateway::new(self.modlb, self.driver, table, self.instances)?;
        let shape = Shape::tcp(family);
        let mut cases = Vec::new();
        for spread in SPREADS {
            gateway.check_takes(self.driver, self.floors.empty, &shape, spread)?;
            let floor = Subject { slot: self.floors.rewrite, shape, spread };
            let subject = Subject { slot: gateway.slot, shape, spread };
            cases.push(Case::new(&format!("{} TCP, member", family.name()), subject).against(FLOOR, floor));
        }
        Ok((gateway, cases))
    }

    /// A server that chooses one of 101 routers for its packets, compared with another program on egress.
    fn steer(&mut self, family: Family) -> Result<(Gateway, Vec<Case>)> {
        let table = Table { role: Role::Steer, ..Table::usual(family, Kind::Port) };
        let gateway = Gateway::new(self.modlb, self.driver, table, self.instances)?;
        let shape = Shape { reply: true, ..Shape::tcp(family) };
        let mut cases = Vec::new();
        for spread in SPREADS {
            self.floors.check(self.driver, &shape, spread)?;
            gateway.check_forwards(self.driver, self.floors.egress_empty, &shape, spread)?;
            let floor = Subject { slot: self.floors.egress_rewrite, shape, spread };
            let subject = Subject { slot: gateway.slot, shape, spread };
            cases.push(Case::new(&format!("{} TCP, steer", family.name()), subject).against(EGRESS_FLOOR, floor));
        }
        Ok((gateway, cases))
    }
}

/// The packets to measure with services of a kind, and target ratios, hot and many.
fn forwarded(family: Family, table: &Table) -> Vec<(&'static str, Shape, Option<[f64; 2]>)> {
    let tcp = Shape { stride: table.stride(), ..Shape::tcp(family) };
    let target = match family {
        Family::V4 => [1.25, 1.40],
        Family::V6 => [1.35, 1.50],
    };
    match table.kind {
        Kind::Port => vec![
            ("TCP", tcp, Some(target)),
            ("TCP, 5-tuple", Shape { port: 8443, ..tcp }, None),
            ("UDP", Shape { protocol: UDP, ..tcp }, None),
            ("TCP, one VLAN tag", Shape { tags: 1, ..tcp }, None),
            ("TCP, two VLAN tags", Shape { tags: 2, ..tcp }, None),
            ("ICMP error", Shape { error: true, ..tcp }, None),
        ],
        Kind::Portless => vec![("TCP, portless service", tcp, Some([2.0, 2.0]))],
        Kind::Prefix(_) => vec![("TCP, prefix service", tcp, None)],
        Kind::Nested(..) => Vec::new(),
    }
}
