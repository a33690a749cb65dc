//! Equal instances, each attached to an interface that stays down, and their programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{SchedClassifier, Xdp};
use aya_obj::programs::XdpAttachType;
use lb_common::outcome::Outcome;
use lb_userspace::datapath::Datapath;
use nix::net::if_::if_nametoindex;

use crate::{
    driver::{Driver, Hook, Slot},
    frame::{Frame, INTERFACE, Shape, Spread},
    modlb::Modlb,
    namespace::Namespace,
    table::{Role, Table},
};

/// The verdicts.
const XDP_DROP: u32 = 1;
/// As above.
pub const XDP_PASS: u32 = 2;
/// As above.
pub const XDP_TX: u32 = 3;
/// As above.
const XDP_REDIRECT: u32 = 4;
/// `TC_ACT_UNSPEC` and TCX's `TCX_NEXT`, both -1.
pub const TC_NEXT: u32 = u32::MAX;

/// How many packets each program is checked with before it is timed.
const CHECKS: u64 = 50;

/// The instances.
pub struct Gateway {
    /// The configuration of each.
    pub table: Table,
    /// Their programs in the driver's table.
    pub slot: Slot,
    /// Those of the interface that servers are behind, if that is a second one.
    pub exit: Option<Slot>,
    instances: Vec<Instance>,
}

struct Instance {
    slot: Slot,
    exit: Option<Slot>,
    datapath: Datapath,
    // Before the namespace, so that it is detached first.
    modlb: Modlb,
    namespace: Namespace,
}

impl Gateway {
    /// Attaches this many, and gives the driver their programs.
    pub fn new(modlb: &Path, driver: &mut Driver, table: Table, instances: usize) -> Result<Self> {
        let mut instances: Vec<_> =
            (0..instances).map(|_| Instance::new(modlb, driver, &table)).collect::<Result<_>>()?;
        // Places of equal programs follow each other.
        for instance in instances.iter_mut().filter(|_| table.exit) {
            instance.exit = Some(driver.add(Hook::Xdp, program_on(&instance.modlb, &instance.namespace, EXIT)?.fd()?)?);
        }
        let (first, more) = instances.split_first().context("no instance is asked for")?;
        let all = |slot: Slot| more.iter().fold(slot, |slot, _| slot.and_next());
        let (slot, exit) = (all(first.slot), first.exit.map(all));
        Ok(Self { table, slot, exit, instances })
    }

    /// Checks that the program forwards these packets, or on egress rewrites their destination: the verdict, every
    /// byte, and every outcome's counter.
    pub fn check_forwards(&self, driver: &mut Driver, echo: Slot, shape: &Shape, spread: Spread) -> Result<()> {
        let frame = Frame::new(shape);
        let by_exit = self.check_sends(driver, echo, (shape, &frame), spread, |instance| instance.exit, XDP_TX);
        let sent = if self.table.exit { XDP_REDIRECT } else { XDP_TX };
        by_exit
            .and_then(|()| {
                self.check_sends(driver, echo, (shape, &frame), spread, |instance| Some(instance.slot), sent)
            })
            .with_context(|| format!("the program does not forward {shape:?}, {spread:?}"))
    }

    fn check_sends(
        &self,
        driver: &mut Driver,
        echo: Slot,
        (shape, frame): (&Shape, &Frame),
        spread: Spread,
        of: impl Fn(&Instance) -> Option<Slot>,
        sent: u32,
    ) -> Result<()> {
        self.check_of(of, |slot, seed| {
            let run = driver.once(slot, frame, spread, echo, seed)?;
            let (client, service) = frame.numbers(&run.before, spread);
            let server = self.table.expected(shape, client, service)?;
            let (action, source) = match slot.hook() {
                Hook::Xdp => (sent, &INTERFACE.0[..]),
                Hook::Egress => (TC_NEXT, &run.before[6..12]),
            };
            let wanted = [&server.0, source, &run.before[12..]].concat();
            ensure!(run.action == action, "the verdict is {}", run.action);
            ensure!(run.after == wanted, "{:02x?} became {:02x?} instead of {wanted:02x?}", run.before, run.after);
            Ok(Outcome::Forwarded)
        })
    }

    /// Checks that the program passes these packets, which match no service.
    pub fn check_passes(&self, driver: &mut Driver, echo: Slot, shape: &Shape, spread: Spread) -> Result<()> {
        let frame = Frame::new(shape);
        self.check(|slot, seed| {
            let run = driver.once(slot, &frame, spread, echo, seed)?;
            ensure!(run.action == XDP_PASS, "the verdict is {}", run.action);
            ensure!(run.after == run.before, "{:02x?} became {:02x?}", run.before, run.after);
            Ok(Outcome::NoService)
        })
        .with_context(|| format!("the program does not pass {shape:?}, {spread:?}"))
    }

    /// Checks that a member's program accepts the packets that the formula gives it, and drops the others.
    pub fn check_takes(&self, driver: &mut Driver, echo: Slot, shape: &Shape, spread: Spread) -> Result<()> {
        let frame = Frame::new(shape);
        self.check(|slot, seed| {
            let run = driver.once(slot, &frame, spread, echo, seed)?;
            let (client, service) = frame.numbers(&run.before, spread);
            let (_, server) = self.table.named(shape, client, service)?;
            let (action, outcome) =
                if server == 0 { (XDP_PASS, Outcome::Accepted) } else { (XDP_DROP, Outcome::Others) };
            ensure!(run.action == action, "server {server}: the verdict is {} instead of {action}", run.action);
            ensure!(run.after == run.before, "{:02x?} became {:02x?}", run.before, run.after);
            Ok(outcome)
        })
        .with_context(|| format!("the program does not accept the right packets of {shape:?}, {spread:?}"))
    }

    fn check(&self, packet: impl FnMut(Slot, u64) -> Result<Outcome>) -> Result<()> {
        self.check_of(|instance| Some(instance.slot), packet)
    }

    fn check_of(
        &self,
        of: impl Fn(&Instance) -> Option<Slot>,
        mut packet: impl FnMut(Slot, u64) -> Result<Outcome>,
    ) -> Result<()> {
        let mut instances = self.instances.iter().filter_map(|instance| Some((instance, of(instance)?)));
        instances.try_for_each(|(instance, slot)| instance.check(|seed| packet(slot, seed)))
    }
}

impl Instance {
    fn new(modlb: &Path, driver: &mut Driver, table: &Table) -> Result<Self> {
        let namespace = Namespace::new("gateway")?;
        namespace.ip(&format!("link add eth0 address {INTERFACE} type veth peer name peer0"))?;
        let interfaces = if table.exit { format!("eth0 {EXIT}") } else { "eth0".to_owned() };
        if table.exit {
            exit(&namespace)?;
        }
        let modlb = Modlb::new(modlb, &namespace)?;
        let mode = if table.role == Role::Steer { "" } else { "--mode generic" };
        modlb.attach(&format!("{interfaces} {mode} {}", table.capacity()), &table.configuration())?;
        let datapath = namespace.within(|| Ok(Datapath::open(modlb.instance())?))?;
        let slot = match table.role {
            Role::Balancer | Role::Member => driver.add(Hook::Xdp, program_on(&modlb, &namespace, "eth0")?.fd()?)?,
            Role::Steer => driver.add(Hook::Egress, SchedClassifier::from_pin(pin(&modlb)?)?.fd()?)?,
        };
        Ok(Self { slot, exit: None, datapath, modlb, namespace })
    }

    /// Runs the program on packets by `packet`, which returns the outcome that must count each.
    fn check(&self, mut packet: impl FnMut(u64) -> Result<Outcome>) -> Result<()> {
        let before = self.datapath.totals()?.outcomes;
        let outcomes: Vec<_> =
            (1..=CHECKS).map(|seed| packet(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<Result<_>>()?;
        let after = self.datapath.totals()?.outcomes;
        for ((counted, before), after) in Outcome::ALL.iter().zip(before).zip(after) {
            let wanted = outcomes.iter().filter(|outcome| *outcome == counted).count() as u64;
            let moved = after.packets - before.packets;
            ensure!(moved == wanted, "{moved} packets were counted as {counted} instead of {wanted}");
        }
        Ok(())
    }
}

/// The second interface.
const EXIT: &str = "eth1";

/// Makes it, with routes to the servers. It has the same MAC as the first, so both take the same frames.
fn exit(namespace: &Namespace) -> Result<()> {
    namespace.ip(&format!("link add {EXIT} address {INTERFACE} type veth peer name peer1"))?;
    namespace.set(&format!("net/ipv6/conf/{EXIT}/accept_dad"), "0")?;
    // What the kernel sends by itself would be counted.
    namespace.set("net/ipv6/conf/peer1/disable_ipv6", "1")?;
    for link in ["peer1", EXIT] {
        namespace.ip(&format!("link set {link} up"))?;
    }
    servers_behind(namespace, EXIT)
}

/// Puts all servers' networks behind an interface.
pub fn servers_behind(namespace: &Namespace, interface: &str) -> Result<()> {
    namespace.ip(&format!("addr add 10.1.255.254/16 dev {interface}"))?;
    namespace.ip(&format!("addr add fd00::ffff:ffff/64 dev {interface} nodad"))
}

/// The program that the command attached to an interface.
fn program_on(modlb: &Modlb, namespace: &Namespace, interface: &str) -> Result<Xdp> {
    let index = namespace.within(|| Ok(if_nametoindex(interface)?))?;
    Ok(Xdp::from_pin(modlb.pins().join(format!("program-{index}")), XdpAttachType::Interface)?)
}

/// The program that the command attached, by its pin.
pub fn program(modlb: &Modlb) -> Result<Xdp> {
    Ok(Xdp::from_pin(pin(modlb)?, XdpAttachType::Interface)?)
}

pub fn pin(modlb: &Modlb) -> Result<PathBuf> {
    let pins = modlb.pins();
    let entries = fs::read_dir(&pins).with_context(|| format!("cannot read {}", pins.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("program-")))
        .with_context(|| format!("no program is pinned in {}", pins.display()))
}
