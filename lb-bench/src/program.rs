//! How long the program takes for a packet.

use anyhow::Result;
use lb_common::mac::Mac;

use crate::{
    Options,
    driver::Driver,
    frame::{Family, Shape, Spread},
    gateway::Gateway,
    progress::Progress,
    result::{Group, Row},
    rounds::{self, Length, Subject},
    table::{Kind, Table},
};

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("program: attaching");
    let mut driver = Driver::new(crate::frame::INTERFACE, Mac([2, 0, 0, 0, 0, 9]))?;
    let empty = driver.add_own("empty")?;
    let rewrite = driver.add_own("rewrite")?;
    let parse = driver.add_own("parse_and_rewrite")?;
    let pass = driver.add_own("parse_and_pass")?;
    let mut named = Vec::new();
    let mut keep = Vec::new();
    for family in [Family::V4, Family::V6] {
        let gateway = Gateway::new(&options.modlb, &mut driver, Table::usual(family, Kind::Port))?;
        for spread in [Spread::HOT, Spread::MANY] {
            let shape = Shape::tcp(family);
            gateway.check_forwards(&mut driver, empty, &shape, spread)?;
            for (what, slot) in
                [("empty", empty), ("rewrite", rewrite), ("parse", parse), ("pass", pass), ("modlb", gateway.slot)]
            {
                let name = format!("{} {what}, {}", family.name(), spread.name());
                named.push((name, Subject { slot, shape, spread }));
            }
        }
        keep.push(gateway);
    }
    progress.step("program: measuring");
    let times = rounds::measure(&mut driver, named.iter().map(|(_, s)| *s), Length::new(options.quick), progress)?;
    Ok(named.into_iter().map(|(name, s)| Row::new(Group::Program, name, "ns", times.of(&s))).collect())
}
