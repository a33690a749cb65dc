//! How the program's time grows: with services, with servers, and with a packet's headers.

use anyhow::Result;

use crate::{
    case::{self, Case},
    driver::Driver,
    floor::{self, Floors},
    frame::{Family, Shape, Spread},
    gateway::Gateway,
    options::Options,
    progress::Progress,
    result::{Group, Row},
    rounds::{Length, Subject},
    table::{Kind, Table},
};

/// Numbers of services, each with its own address.
const SERVICES: [u32; 5] = [1, 16, 256, 1_024, 4_096];

/// Numbers of servers of one service.
const SERVERS: [u32; 5] = [1, 16, 256, 4_096, 65_536];

/// Numbers of IPv6 extension headers; with one more the packet would be passed.
const DEPTHS: usize = 8;

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let length = Length::new(options.quick);
    let (mut driver, floors) = floor::load(length.instances)?;
    let mut cases = Vec::new();
    let mut gateways = Vec::new();
    let mut attach = |driver: &mut Driver, table: Table| {
        progress.step(format!("scaling: attaching for {} × {}", table.services, table.servers));
        Gateway::new(&options.modlb, driver, table, length.instances)
    };
    let usual = Table::usual(Family::V4, Kind::Port);
    for services in SERVICES {
        let table = Table { services, addresses: services, servers: 7, ..usual };
        let gateway = attach(&mut driver, table)?;
        let many = Spread { clients: 0xffff, services: (services - 1) as u16 };
        cases.extend(loads(&gateway, &mut driver, &floors, ("services", services), many)?);
        gateways.push(gateway);
    }
    for servers in SERVERS {
        let table = Table { services: 1, addresses: 1, servers, ..usual };
        let gateway = attach(&mut driver, table)?;
        let many = Spread { clients: 0xffff, services: 0 };
        cases.extend(loads(&gateway, &mut driver, &floors, ("servers", servers), many)?);
        gateways.push(gateway);
    }
    let gateway = attach(&mut driver, Table::usual(Family::V6, Kind::Port))?;
    cases.extend(depths(&gateway, &mut driver, &floors)?);
    let cases = compared(cases);
    progress.step("scaling: measuring");
    let rows = case::measure(Group::Scaling, &cases, &mut driver, &floors, length, progress);
    drop((gateways, gateway));
    rows
}

/// Cases of both loads at one point of an axis.
fn loads(
    gateway: &Gateway,
    driver: &mut Driver,
    floors: &Floors,
    (axis, x): (&'static str, u32),
    many: Spread,
) -> Result<Vec<Case>> {
    let shape = Shape::tcp(gateway.table.family);
    let one = |spread| {
        gateway.check_forwards(driver, floors.empty, &shape, spread)?;
        let case = Case::new(&format!("{axis}: {x}"), Subject { slot: gateway.slot, shape, spread });
        Ok(Case { point: Some((axis, x.into())), ..case })
    };
    [Spread::HOT, many].into_iter().map(one).collect()
}

fn depths(gateway: &Gateway, driver: &mut Driver, floors: &Floors) -> Result<Vec<Case>> {
    let one = |depth: usize| {
        let shape = Shape { extensions: depth, ..Shape::tcp(Family::V6) };
        let spread = Spread::HOT;
        gateway.check_forwards(driver, floors.empty, &shape, spread)?;
        let case = Case::new(&format!("extension headers: {depth}"), Subject { slot: gateway.slot, shape, spread });
        Ok(Case { point: Some(("extension headers", depth as f64)), ..case })
    };
    (0..=DEPTHS).map(one).collect()
}

/// Compares each case with the first of its curve.
fn compared(cases: Vec<Case>) -> Vec<Case> {
    let mut least: Vec<Case> = Vec::new();
    let mut compared = Vec::with_capacity(cases.len());
    for case in cases {
        let same = |other: &&Case| {
            other.point.map(|(axis, _)| axis) == case.point.map(|(axis, _)| axis)
                && other.subject.spread.name() == case.subject.spread.name()
        };
        let Some(first) = least.iter().find(same) else {
            least.push(case.clone());
            compared.push(case);
            continue;
        };
        let against = if case.point.is_some_and(|(axis, _)| axis == "extension headers") { "none" } else { "one" };
        let case = case.clone().against(against, first.subject);
        // Nothing that a hot packet touches depends on the number of services.
        let flat = case.name == format!("services: {}, hot", SERVICES[SERVICES.len() - 1]);
        compared.push(if flat { case.at_most(1.05) } else { case });
    }
    compared
}
