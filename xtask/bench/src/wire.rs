//! A cable with a generator and a sink at one end and a gateway at the other.
//!
//! ```text
//!   near ────────────────── gateway    the generator sends live frames by `near`; what the gateway sends back
//!   generator, sink         what is    comes to `near` again, where the sink counts and drops it. Only the sink
//!                           measured   looks at MACs, so one sink stands for all servers.
//!   sink ────────────────── exit       for a gateway that must not send back where a packet came from
//! ```
//!
//! Everything happens on the generator's CPU: a veth hands frames over by a ring that is emptied on the same CPU after
//! each batch and before the next. So a ring never overflows if a batch fits (256 frames).

use std::time::Duration;

use anyhow::{Result, ensure};
use aya::{
    maps::{Array, PerCpuArray},
    programs::xdp::{XdpLinkId, XdpMode},
};
use lb_common::mac::Mac;
use lb_ebpf::{
    arrival::{RECORDS, Record, SERVERS},
    load::Load,
};
use nix::net::if_::if_nametoindex;

use crate::{
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
    // Before the namespace, so that it is detached first.
    driver: Driver,
    transmit: Slot,
    near: u32,
    sinks: (&'static str, Vec<XdpLinkId>),
    /// It contains both ends.
    pub namespace: Namespace,
}

impl Wire {
    /// A cable with nothing attached at the gateway's end yet; with `exit`, a second one for packets to leave by.
    pub fn new(label: &str, exit: bool) -> Result<Self> {
        let namespace = Namespace::new(label)?;
        namespace.ip(&format!("link add near type veth peer name {GATEWAY} address {INTERFACE}"))?;
        let mut ends = vec!["near"];
        if exit {
            namespace.ip(&format!("link add sink type veth peer name {EXIT} address {INTERFACE}"))?;
            ends.push("sink");
        }
        for end in &ends {
            // Otherwise the kernel would send its own packets.
            namespace.set(&format!("net/ipv6/conf/{end}/disable_ipv6"), "1")?;
        }
        let mut driver = Driver::new(INTERFACE, FLOOR_SERVER)?;
        let transmit = driver.add_own("empty")?;
        for name in ["sink", "record"] {
            driver.own(name)?;
        }
        let (near, sinks) = namespace.within(|| {
            let mut sinks = Vec::new();
            for end in &ends {
                sinks.push(driver.own("sink")?.attach(end, XdpMode::Driver)?);
            }
            Ok((if_nametoindex("near")?, sinks))
        })?;
        for link in ends.iter().copied().chain([GATEWAY]).chain(exit.then_some(EXIT)) {
            namespace.ip(&format!("link set {link} up"))?;
        }
        Ok(Self { namespace, driver, transmit, near, sinks: ("sink", sinks) })
    }

    /// Attaches one of the benchmark's own programs to the gateway's end.
    pub fn attach(&mut self, name: &str, interface: &str) -> Result<()> {
        let program = self.driver.own(name)?;
        self.namespace.within(|| program.attach(interface, XdpMode::Driver).map(drop).map_err(Into::into))
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
            crate::cpu::claim();
            work(&mut Sender { driver, near })
        })
    }

    /// The program in the driver's table that sends a frame.
    pub const fn transmit(&self) -> Slot {
        self.transmit
    }

    /// How many frames the sinks have received so far that were forwarded to a server.
    pub fn arrived(&self) -> Result<u64> {
        let counters: PerCpuArray<_, u64> = self.driver.map("ARRIVED")?.try_into()?;
        let mut arrived = 0;
        for place in 0..SERVERS as u32 {
            arrived += counters.get(&place, 0)?.iter().sum::<u64>();
        }
        Ok(arrived)
    }

    /// Sends frames one by one, and returns what the sinks recorded.
    pub fn record(&mut self, load: &Load, frame: &[u8], count: u32) -> Result<Vec<Record>> {
        ensure!(count as usize <= RECORDS, "too many records");
        self.replace_sinks("record")?;
        let before = self.recorded()?;
        self.with_sender(|sender| sender.driver.send(load, frame, sender.near, 1, count))?;
        let after = self.recorded()?;
        self.replace_sinks("sink")?;
        let records: Array<_, Record> = self.driver.map("RECORDED")?.try_into()?;
        (before..after).map(|place| Ok(records.get(&place, 0)?)).collect()
    }

    /// Replaces the program of all sinks.
    fn replace_sinks(&mut self, name: &'static str) -> Result<()> {
        let (was, links) = std::mem::replace(&mut self.sinks, (name, Vec::new()));
        for id in links {
            let link = self.driver.own(was)?.take_link(id)?;
            self.sinks.1.push(self.driver.own(name)?.attach_to_link(link)?);
        }
        Ok(())
    }

    fn recorded(&self) -> Result<u32> {
        let count: Array<_, u32> = self.driver.map("RECORDED_COUNT")?.try_into()?;
        Ok(count.get(&0, 0)?)
    }
}

/// The generator, on the one CPU.
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
