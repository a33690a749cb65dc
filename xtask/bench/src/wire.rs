//! A cable with a generator and a sink at one end and a gateway at the other.
//!
//! ```text
//!   near ────────────────── gateway    the generator sends live frames by `near`; what the gateway sends back
//!   generator, sink         what is    comes to `near` again, where the sink counts and drops it. Only the sink
//!                           measured   looks at MACs, so one sink stands for all servers.
//!   sink ────────────────── exit       for a gateway that must not send back where a packet came from: then only
//!                                      what comes by this cable counts
//! ```
//!
//! Everything happens on the generator's CPU: a veth hands frames over by a ring that is emptied on the same CPU after
//! each batch and before the next. So a ring never overflows if a batch fits (256 frames). With several generators,
//! each on its own CPU, each CPU has its own queue of the cable, as it has of a network card.

use std::{
    iter,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::{
    maps::{Array, PerCpuArray, xdp::DevMap},
    programs::xdp::{XdpLinkId, XdpMode},
};
use lb_common::mac::Mac;
use lb_ebpf::{
    arrival::{RECORDS, Record, SERVERS},
    load::Load,
};
use nix::net::if_::if_nametoindex;

use crate::{
    cpu,
    driver::{Driver, Slot},
    frame::INTERFACE,
    namespace::Namespace,
};

/// The gateway's end.
pub const GATEWAY: &str = "gateway";

/// The gateway's second interface, if it has one.
pub const EXIT: &str = "exit";

/// Frames in a batch, as many as a driver handles at once; a ring holds 256.
const BATCH: u32 = 64;

/// The floor sends everything to this MAC.
pub const FLOOR_SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);

/// The cable.
pub struct Wire {
    // Before the namespace, so that they are detached first.
    driver: Driver,
    /// Those of further generators.
    others: Vec<Driver>,
    transmit: Slot,
    near: u32,
    /// The sink's program, and its link.
    sink: Option<(&'static str, XdpLinkId)>,
    /// It contains both ends.
    pub namespace: Namespace,
}

impl Wire {
    /// A cable with nothing attached at the gateway's end yet; with `exit`, a second one for packets to leave by.
    pub fn new(label: &str, exit: bool) -> Result<Self> {
        Self::make(label, exit, 1, 1)
    }

    /// A cable with a generator for each of these CPUs, and a queue for each.
    pub fn with_queues(label: &str, cpus: &[usize]) -> Result<Self> {
        // The kernel chooses a queue by the CPU's number.
        let queues = cpus.iter().max().map_or(1, |last| last + 1);
        Self::make(label, false, cpus.len(), queues)
    }

    fn make(label: &str, exit: bool, generators: usize, queues: usize) -> Result<Self> {
        let namespace = Namespace::new(label)?;
        let queues = format!("numtxqueues {queues} numrxqueues {queues}");
        let add = |near: &str, far: &str| {
            namespace.ip(&format!("link add {near} {queues} type veth peer name {far} address {INTERFACE} {queues}"))
        };
        add("near", GATEWAY)?;
        let mut ends = vec!["near"];
        if exit {
            add("sink", EXIT)?;
            ends.push("sink");
        }
        for end in &ends {
            // Otherwise the kernel would send its own packets.
            namespace.set(&format!("net/ipv6/conf/{end}/disable_ipv6"), "1")?;
        }
        let mut driver = Driver::new(INTERFACE, FLOOR_SERVER)?;
        let transmit = driver.add_own("empty")?;
        let mut others = Vec::new();
        for _ in 1..generators {
            let mut other = Driver::new(INTERFACE, FLOOR_SERVER)?;
            ensure!(other.add_own("empty")? == transmit, "generators differ");
            others.push(other);
        }
        for name in ["sink", "record"] {
            driver.own(name)?;
        }
        let (near, link) = namespace.within(|| {
            let link = driver.own("sink")?.attach(if exit { "sink" } else { "near" }, XdpMode::Driver)?;
            Ok((if_nametoindex("near")?, link))
        })?;
        for link in ends.iter().copied().chain([GATEWAY]).chain(exit.then_some(EXIT)) {
            namespace.ip(&format!("link set {link} up"))?;
        }
        Ok(Self { namespace, driver, others, transmit, near, sink: Some(("sink", link)) })
    }

    /// Attaches one of the benchmark's own programs to the gateway's end.
    pub fn attach(&mut self, name: &str, interface: &str) -> Result<()> {
        let program = self.driver.own(name)?;
        self.namespace.within(|| program.attach(interface, XdpMode::Driver).map(drop).map_err(Into::into))
    }

    /// Tells the benchmark's own program that redirects which interface frames leave by.
    pub fn redirect_by(&mut self, interface: &str) -> Result<()> {
        let mut exits: DevMap<_> = self.driver.map_mut("EXITS")?.try_into()?;
        // The kernel looks for the index in the namespace of the thread that writes it.
        self.namespace.within(|| Ok(exits.set(0, if_nametoindex(interface)?, None, 0)?))
    }

    /// Sends this many frames from a thread in the namespace; see [`Sender::send`].
    pub fn send(&mut self, load: &Load, frame: &[u8], count: u32) -> Result<Duration> {
        self.with_sender(|sender| sender.send(load, frame, count))
    }

    /// Sends from a thread in the namespace that has the CPU to itself.
    pub fn with_sender<T: Send>(&mut self, work: impl FnOnce(&mut Sender<'_>) -> Result<T> + Send) -> Result<T> {
        let Self { namespace, driver, near, .. } = self;
        let near = *near;
        namespace.within(|| {
            cpu::claim();
            work(&mut Sender { driver, near })
        })
    }

    /// Sends this many frames from each of these CPUs at once; returns the time from the first stream's start to the
    /// last one's end.
    pub fn send_from(&mut self, cpus: &[usize], load: &Load, frame: &[u8], count: u32) -> Result<Duration> {
        let Self { namespace, driver, others, near, .. } = self;
        let (near, start) = (*near, Barrier::new(cpus.len()));
        let mut generators = Vec::new();
        for (number, (cpu, driver)) in cpus.iter().zip(iter::once(driver).chain(others)).enumerate() {
            // Other packets in each stream.
            let load = Load { random: load.random.rotate_left(number as u32), ..*load };
            generators.push((*cpu, Sender { driver, near }, load));
        }
        ensure!(generators.len() == cpus.len(), "the cable has too few generators");
        let start = &start;
        let one = |(cpu, mut sender, load): (usize, Sender<'_>, Load)| {
            cpu::claim_this(cpu);
            start.wait();
            let begin = Instant::now();
            sender.send(&load, frame, count).map(|_| (begin, Instant::now()))
        };
        // Threads are in the namespace of the one that makes them.
        let streams = namespace.within(|| {
            thread::scope(|scope| {
                let threads: Vec<_> =
                    generators.into_iter().map(|generator| scope.spawn(move || one(generator))).collect();
                threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a sender panicked"))?).collect()
            })
        });
        let streams: Vec<(Instant, Instant)> = streams?;
        let (begin, end) = (streams.iter().map(|stream| stream.0).min(), streams.iter().map(|stream| stream.1).max());
        Ok(begin.zip(end).context("no CPU is to send")?).map(|(begin, end)| end - begin)
    }

    /// The program in the driver's table that sends a frame.
    pub const fn transmit(&self) -> Slot {
        self.transmit
    }

    /// How many frames the sink has received so far that were forwarded to a server.
    pub fn arrived(&self) -> Result<u64> {
        let counters: PerCpuArray<_, u64> = self.driver.map("ARRIVED")?.try_into()?;
        let mut arrived = 0;
        for place in 0..SERVERS as u32 {
            arrived += counters.get(&place, 0)?.iter().sum::<u64>();
        }
        Ok(arrived)
    }

    /// Sends frames one by one, and returns what the sink recorded.
    pub fn record(&mut self, load: &Load, frame: &[u8], count: u32) -> Result<Vec<Record>> {
        ensure!(count as usize <= RECORDS, "too many records");
        self.replace_sink("record")?;
        let before = self.recorded()?;
        self.with_sender(|sender| sender.driver.send(load, frame, sender.near, 1, count))?;
        let after = self.recorded()?;
        self.replace_sink("sink")?;
        let records: Array<_, Record> = self.driver.map("RECORDED")?.try_into()?;
        (before..after).map(|place| Ok(records.get(&place, 0)?)).collect()
    }

    /// Replaces the sink's program.
    fn replace_sink(&mut self, name: &'static str) -> Result<()> {
        let (was, id) = self.sink.take().context("there is no sink any more")?;
        let link = self.driver.own(was)?.take_link(id)?;
        self.sink = Some((name, self.driver.own(name)?.attach_to_link(link)?));
        Ok(())
    }

    fn recorded(&self) -> Result<u32> {
        let count: Array<_, u32> = self.driver.map("RECORDED_COUNT")?.try_into()?;
        Ok(count.get(&0, 0)?)
    }
}

/// A generator, on its CPU.
pub struct Sender<'a> {
    driver: &'a mut Driver,
    near: u32,
}

impl Sender<'_> {
    /// Sends this many frames; returns when all of them have arrived, and how long that took.
    pub fn send(&mut self, load: &Load, frame: &[u8], count: u32) -> Result<Duration> {
        self.driver.send(load, frame, self.near, BATCH, count)
    }
}
