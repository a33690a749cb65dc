//! A server with instances in role `keep`, each on an interface that stays down.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context as _, Result, ensure};
use aya::programs::SchedClassifier;
use lb_common::{keep::HIGHEST_MAX_HAND_ONS, mac::Mac, outcome::Outcome};
use lb_userspace::datapath::Datapath;

use crate::{
    driver::{Driver, Hook, Slot},
    frame::{Family, Frame, INTERFACE, Shape, Spread},
    gateway::{TC_NEXT, pin},
    modlb::Modlb,
    namespace::Namespace,
    table::{self, Kind, Table},
};

/// `TC_ACT_REDIRECT`.
const REDIRECT: u32 = 7;

/// How many packets each program is checked with before it is timed.
const CHECKS: u64 = 50;

/// What the services of an instance look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Servers {
    /// This host alone.
    One,
    /// 25, with a previous list of 24.
    Many,
}

/// Equal instances.
pub struct Instances {
    /// Their programs in the driver's table.
    pub slot: Slot,
    instances: Vec<Instance>,
}

struct Instance {
    slot: Slot,
    datapath: Datapath,
    _modlb: Modlb,
}

impl Instances {
    /// Attaches this many in a namespace. The names of their interfaces begin with `label`.
    pub fn new(
        modlb: &Path,
        namespace: &Namespace,
        driver: &mut Driver,
        (label, family, servers): (&str, Family, Servers),
        count: usize,
    ) -> Result<Self> {
        let mut instances = Vec::new();
        for number in 0..count {
            let interface = format!("{label}{number}");
            namespace.ip(&format!("link add {interface} address {INTERFACE} type veth peer name {interface}p"))?;
            let modlb = Modlb::new(modlb, namespace)?;
            modlb.attach(&format!("{interface} --role keep"), &configuration(family, servers))?;
            let datapath = namespace.within(|| Ok(Datapath::open(modlb.instance())?))?;
            let slot = driver.add(Hook::Egress, SchedClassifier::from_pin(pin(&modlb)?)?.fd()?)?;
            instances.push(Instance { slot, datapath, _modlb: modlb });
        }
        let (first, more) = instances.split_first().context("no instance is asked for")?;
        let slot = more.iter().fold(first.slot, |slot, _| slot.and_next());
        Ok(Self { slot, instances })
    }

    /// Checks on a thread in the namespace that packets have this outcome.
    pub fn check(&self, driver: &mut Driver, echo: Slot, shape: &Shape, spread: Spread, wanted: Outcome) -> Result<()> {
        let action = if wanted == Outcome::HandedOn { REDIRECT } else { TC_NEXT };
        let frame = Frame::new(shape);
        for Instance { slot, datapath, .. } in &self.instances {
            let before = datapath.totals()?.outcomes;
            for seed in 1..=CHECKS {
                let run = driver.once(*slot, &frame, spread, echo, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))?;
                ensure!(run.action == action, "{shape:?}, {spread:?}: the verdict is {}, not {action}", run.action);
                let is_same = run.after == run.before;
                ensure!(is_same == (wanted != Outcome::HandedOn), "{shape:?}: {:02x?}", run.after);
            }
            let after = datapath.totals()?.outcomes;
            for ((counted, before), after) in Outcome::ALL.iter().zip(before).zip(after) {
                let expected = if *counted == wanted { CHECKS } else { 0 };
                let moved = after.packets - before.packets;
                ensure!(moved == expected, "{shape:?}: {moved} packets were counted as {counted}, not {expected}");
            }
        }
        Ok(())
    }

    /// How many packets passed as nobody else was left to hand them to.
    pub fn passed_last(&self) -> Result<u64> {
        let passed = |instance: &Instance| -> Result<u64> {
            let outcomes = Outcome::ALL.iter().zip(instance.datapath.totals()?.outcomes);
            Ok(outcomes.filter(|(outcome, _)| **outcome == Outcome::TakenLast).map(|(_, it)| it.packets).sum())
        };
        self.instances.iter().map(passed).sum()
    }
}

/// The MAC of another server.
pub fn other() -> Mac {
    table::mac(0, 1)
}

/// Two services at following addresses with the same servers, of which this host is the first.
pub fn configuration(family: Family, servers: Servers) -> String {
    let count = match servers {
        Servers::One => 1,
        Servers::Many => 25,
    };
    let table = Table { services: 2, addresses: 2, servers: count, ..Table::usual(family, Kind::Port) };
    let list = |count: u32| (0..count).map(|number| format!("\"{}\"", table.server(number))).collect::<Vec<_>>();
    let previous = if servers == Servers::One { String::new() } else { format!("[{}]", list(count - 1).join(", ")) };
    // More than can be measured in a second.
    let limit = HIGHEST_MAX_HAND_ONS;
    let mut text = format!("role = \"keep\"\nself = \"{}\"\nmax_hand_ons = {limit}\n", table.server(0));
    for number in 0..2 {
        let address = table.address(number);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[service]]\nname = \"s{number}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = 443\n\
             previous = [{previous}]\nserver = ["
        );
        for server in 0..count {
            let _ = write!(text, "{{address=\"{}\",mac=\"{}\"}},", table.server(server), table::mac(0, server));
        }
        text += "]\n";
    }
    text
}
