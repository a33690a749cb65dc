//! Packets that are lost when commands change an instance under a stream.
//!
//! Trap: a stream that fills a ring faster than it is emptied loses packets by itself. Here the sending CPU carries
//! each batch all the way before it sends the next (see `wire`), so none can pile up; a first stream without commands
//! proves it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::row::row;
use crate::{
    command::capture,
    frame::{Family, Shape, Spread},
    interrupt,
    modlb::Modlb,
    options::Options,
    packets::{Stream, one_service},
    progress::Progress,
    result::{Row, Target},
    table::Table,
    wire::{GATEWAY, Wire},
};

/// Each stream has at least this many packets.
const PACKETS: u64 = 1_000_000;

/// This many are sent at once …
const BURST: u32 = 2_048;

/// … with a pause between, in which this CPU does other things: about half of the rate that it could send.
const PAUSE: Duration = Duration::from_micros(700);

/// At least this many commands of each kind run under the stream.
const COMMANDS: usize = 6;

/// No packet may be lost.
const NOTHING: Target = Target::AtMost(0.0);

/// A gateway under a stream.
struct Bed {
    table: Table,
    stream: Stream,
    // Before the cable's namespace, so that it is detached first.
    modlb: Modlb,
    wire: Wire,
}

/// The packets of a stream, by outcome.
#[derive(Clone, Copy, Debug)]
struct Fate {
    sent: u64,
    forwarded: u64,
    passed: u64,
    commands: usize,
}

impl Fate {
    const fn lost(&self) -> f64 {
        (self.sent - self.forwarded - self.passed) as f64
    }
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: packets lost of a stream");
    let mut bed = Bed::new(options)?;
    let quiet = bed.stream(|_, _| {
        thread::sleep(Duration::from_millis(50));
        Ok(())
    })?;
    ensure!(
        quiet.lost() == 0.0,
        "{} of {} packets are lost without any command: the figures would mean nothing",
        quiet.lost(),
        quiet.sent
    );
    let mut rows = Vec::new();
    for (name, command) in COMMANDS_UNDER_TRAFFIC {
        progress.step(format!("control: packets lost by {name}"));
        let fate = bed.stream(command)?;
        ensure!(fate.passed == 0, "{name}: {} packets were passed instead of forwarded", fate.passed);
        rows.push(row(name_of(name, &fate), "packets", &[fate.lost()]).with_target(NOTHING));
    }
    progress.step("control: packets lost by detach");
    let fate = bed.detach()?;
    rows.push(row(name_of("`modlb detach`", &fate), "packets", &[fate.lost()]));
    Ok(rows)
}

fn name_of(what: &str, fate: &Fate) -> String {
    let often = if fate.commands > 1 { "repeatedly " } else { "" };
    format!("{what}, {often}under more than 1,000,000 packets: lost")
}

type Change = fn(&Modlb, &Table) -> Result<()>;

/// A change that is repeated under the stream.
const COMMANDS_UNDER_TRAFFIC: [(&str, Change); 4] = [
    ("`modlb attach` over a running instance", |modlb, table| modlb.attach(GATEWAY, &table.configuration()).map(drop)),
    ("`modlb upgrade`", |modlb, _| modlb.run("upgrade").map(drop)),
    ("`modlb apply`", |modlb, table| {
        let fewer = Table { servers: table.servers - 1, ..*table };
        modlb.apply(&fewer.configuration())?;
        modlb.apply(&table.configuration()).map(drop)
    }),
    ("`modlb server down` and `up`", |modlb, table| {
        modlb.run(&format!("server down s0 {}", table.server(0)))?;
        modlb.run(&format!("server up s0 {}", table.server(0))).map(drop)
    }),
];

impl Bed {
    fn new(options: &Options) -> Result<Self> {
        let wire = Wire::new("loss", false)?;
        // The kernel counts and drops packets that modlb passes. With this setting the veth takes frames even without a
        // program.
        wire.namespace.set(&format!("net/ipv6/conf/{GATEWAY}/disable_ipv6"), "1")?;
        capture(wire.namespace.command("ethtool").args(["-K", GATEWAY, "gro", "on"]))?;
        let table = one_service(Family::V4);
        let modlb = Modlb::new(&options.modlb, &wire.namespace)?;
        modlb.attach(&format!("{GATEWAY} --mode native"), &table.configuration())?;
        let spread = Spread { clients: Spread::MANY.clients, services: 0 };
        let stream = Stream::new(&Shape::tcp(table.family), spread, wire.transmit());
        Ok(Self { table, stream, modlb, wire })
    }

    /// Sends while `change` is repeated.
    fn stream(&mut self, change: Change) -> Result<Fate> {
        self.under_traffic(|modlb, table, enough| {
            let mut commands = 0;
            while commands < COMMANDS || !enough.load(Ordering::Acquire) {
                interrupt::check()?;
                change(modlb, table)?;
                commands += 1;
            }
            Ok(commands)
        })
    }

    /// Sends before, while and after the instance is detached. The command's `Drop` then has nothing left to do.
    fn detach(&mut self) -> Result<Fate> {
        self.under_traffic(|modlb, _, enough| {
            while !enough.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
                interrupt::check()?;
            }
            modlb.run("detach")?;
            thread::sleep(Duration::from_millis(50));
            Ok(1)
        })
    }

    /// Sends until `work` ends, which learns when enough has been sent.
    fn under_traffic(&mut self, work: impl FnOnce(&Modlb, &Table, &AtomicBool) -> Result<usize>) -> Result<Fate> {
        let Self { table, stream, modlb, wire } = self;
        let before = wire.arrived()?;
        let passed_before = passed(wire)?;
        let (enough, end) = (AtomicBool::new(false), AtomicBool::new(false));
        let (sent, commands) = thread::scope(|scope| -> Result<(u64, usize)> {
            let sender = scope.spawn(|| {
                wire.with_sender(|sender| {
                    let mut sent = 0;
                    while !end.load(Ordering::Acquire) {
                        sender.send(&stream.load, &stream.frame.bytes, BURST)?;
                        sent += u64::from(BURST);
                        if sent >= PACKETS {
                            enough.store(true, Ordering::Release);
                        }
                        thread::sleep(PAUSE);
                    }
                    Ok(sent)
                })
            });
            // If the sender has failed, there will never be enough.
            let commands = if sender.is_finished() { Ok(0) } else { work(modlb, table, &enough) };
            end.store(true, Ordering::Release);
            let sent = sender.join().map_err(|_| anyhow!("the sender panicked"))??;
            Ok((sent, commands?))
        })?;
        let forwarded = wire.arrived()? - before;
        Ok(Fate { sent, forwarded, passed: passed(wire)? - passed_before, commands })
    }
}

/// Packets that reached the kernel's IP layer at the gateway.
fn passed(wire: &Wire) -> Result<u64> {
    wire.namespace.within(|| {
        let text = std::fs::read_to_string("/proc/thread-self/net/snmp")?;
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Ip: "));
        let (names, values) = (lines.next().context("no names")?, lines.next().context("no values")?);
        let place = names.split(' ').position(|name| name == "InReceives").context("no InReceives")?;
        Ok(values.split(' ').nth(place).context("no value")?.parse()?)
    })
}
