//! Programs that tell what happens to packets: swapped in, and out again.
//!
//! While one is in force the interface's pin still is that of the program of every day, so that swapping out needs
//! nothing but the two pins. Whoever lets packets be told of holds a lock of its own; where a link has a settings
//! program and nobody holds that lock, its command is dead, and the next command that writes puts things right
//! ([`Writer::open`]).

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::maps::{MapData, PerCpuArray, RingBuf};
use lb_common::trace::{Filter, TraceCounters};

use super::{
    attach::{
        egress,
        link::{self, Holder},
        load::{Constants, TraceSettings, group_mac, load_traced},
        names::{STEER, TRACING, variant, xdp_name},
        object::Programs,
        variant::loaded,
    },
    error::{Error, Result},
    store::{
        instance::{Datapath, Writer},
        pins::{Lock, Pins},
    },
    sys::{open_pin, update_link},
};
use crate::{config::model::Group, net::Interface};

/// The directory beside those of instances in which each has one for its lock.
const DIRECTORY: &str = "modlb-trace";

/// How a program tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Emission {
    /// By events, in so many bytes of memory: a power of two.
    Events(u32),
    /// By messages (aya-log) of this level and more important ones.
    Messages(aya_log::Level),
}

/// The right to swap programs in and out: only one command has it.
#[derive(Debug)]
pub struct Claim {
    pins: Pins,
    _lock: Lock,
}

/// A program that tells of an interface's packets.
#[derive(Debug)]
pub struct Tracer {
    /// The interface.
    pub interface: Interface,
    /// The program's id.
    pub program: u32,
    programs: Programs,
}

impl Claim {
    /// Takes the right to trace an instance.
    ///
    /// # Errors
    ///
    /// [`Error::Traced`]: another command has it.
    pub fn take(instance: &str) -> Result<Self> {
        // What does not run has nothing to be traced, and gets no directory.
        Datapath::open(instance)?;
        let pins = pins(instance);
        let lock = pins.claim()?.ok_or_else(|| Error::Traced(instance.to_owned()))?;
        Ok(Self { pins, _lock: lock })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pins.remove_claimed();
    }
}

fn pins(instance: &str) -> Pins {
    Pins::beside(&format!("{DIRECTORY}/{instance}"))
}

impl Datapath {
    /// The interfaces whose program tells what happens to packets.
    pub fn traced(&self) -> Result<Vec<u32>> {
        let mut interfaces = Vec::new();
        for (index, link) in self.links()? {
            // The pinned program is asked first: nearly always it is the one.
            if link.program != link::program_id(&self.pins.program(index)) && link::traces(link.program) {
                interfaces.push(index);
            }
        }
        Ok(interfaces)
    }

    /// Whether a command lives that lets packets be told of.
    pub fn is_being_traced(&self) -> bool {
        pins(self.pins.instance()).is_claimed()
    }

    /// Whether an interface still has this program.
    pub fn has(&self, interface: u32, program: u32) -> bool {
        link::look(&self.pins.link(interface)).is_ok_and(|link| link.interface.is_some() && link.program == program)
    }
}

impl Writer {
    /// Puts a program that tells in the place of an interface's, in the same variant. No packet meets neither.
    ///
    /// # Errors
    ///
    /// [`Error::TracedFilter`]; the kernel refuses the program.
    pub fn swap_in(&self, interface: &Interface, group: &Group, filter: &Filter, manner: Emission) -> Result<Tracer> {
        let (prefix, settings) = settings(filter, manner);
        let mac = interface.mac.unwrap_or_default();
        let constants = Constants { interface: interface.index, mac, group: group_mac(group) };
        let mut programs = load_traced(&self.pins, &self.capacities, constants, Some(&settings))?;
        let xdp = xdp_name(self.role).map(|name| variant(name, self.is_multi_buffer(interface.index)));
        let program = match xdp {
            Some(name) => {
                let program = loaded(&mut programs, &format!("{prefix}{name}"))?;
                self.put(interface.index, program.fd()?.as_fd())?;
                program.info()?.id()
            }
            None => {
                if self.links()?.iter().any(|(_, link)| link.holder == Holder::Clsact) {
                    return Err(Error::TracedFilter(self.pins.instance().to_owned()));
                }
                let program = egress::named(&mut programs, &format!("{prefix}{}", STEER))?;
                program.load()?;
                self.put(interface.index, program.fd()?.as_fd())?;
                program.info()?.id()
            }
        };
        Ok(Tracer { interface: interface.clone(), program, programs })
    }

    /// Puts the programs of every day back, wherever others tell of packets. Returns how many that were.
    pub fn swap_out(&self) -> Result<usize> {
        let traced = self.traced()?;
        for index in &traced {
            let pin = self.pins.program(*index);
            let program = open_pin(&pin).map_err(Error::io(format!("opening {}", pin.display())))?;
            self.put(*index, program.as_fd())?;
        }
        Ok(traced.len())
    }

    fn put(&self, interface: u32, program: BorrowedFd<'_>) -> Result<()> {
        let pin = self.pins.link(interface);
        let put = || update_link(open_pin(&pin)?.as_fd(), program);
        put().map_err(Error::io(format!("replacing the program of {}", pin.display())))
    }

    /// Puts right what a command left behind that was killed together with its guard.
    pub(super) fn end_stale_tracing(&self) -> Result<()> {
        if self.traced()?.is_empty() || self.is_being_traced() {
            return Ok(());
        }
        let ended = self.swap_out()?;
        log::warn!("a command that traced {ended} interface(s) was killed; the ordinary program is back");
        pins(self.pins.instance()).remove_claimed();
        Ok(())
    }
}

fn settings(filter: &Filter, manner: Emission) -> (&'static str, TraceSettings) {
    // SAFETY: the filter is made of numbers without padding, as its size is asserted to be.
    let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(filter).cast::<u8>(), size_of::<Filter>()) };
    let [trace, log] = TRACING;
    // What is not used is as small as it may be.
    const LEAST: u32 = 4_096;
    match manner {
        Emission::Events(room) => (trace, TraceSettings { filter: bytes.to_vec(), level: 0, room }),
        Emission::Messages(level) => (log, TraceSettings { filter: bytes.to_vec(), level: level as u8, room: LEAST }),
    }
}

impl Tracer {
    /// Where the events come from; once.
    ///
    /// # Errors
    ///
    /// The program tells by messages.
    pub fn events(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.programs.take_map("EVENTS").ok_or_else(|| missing("EVENTS"))?;
        RingBuf::try_from(map).map_err(|error| Error::Map("EVENTS", error))
    }

    /// Where the messages come from; once.
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn messages<T: log::Log>(&mut self, logger: T) -> std::result::Result<aya_log::EbpfLogger<T>, aya_log::Error> {
        aya_log::EbpfLogger::init_with_logger(&mut self.programs, logger)
    }

    /// What was counted so far, by all CPUs.
    pub fn counters(&self) -> Result<TraceCounters> {
        let map = self.programs.map("TRACE_COUNTERS").ok_or_else(|| missing("TRACE_COUNTERS"))?;
        let map = PerCpuArray::<_, Counts>::try_from(map).map_err(|error| Error::Map("TRACE_COUNTERS", error))?;
        let counts = map.get(&0, 0).map_err(|error| Error::Map("TRACE_COUNTERS", error))?;
        Ok(counts.iter().fold(TraceCounters::default(), |all, Counts(one)| TraceCounters {
            seen: all.seen + one.seen,
            fit: all.fit + one.fit,
            lost: all.lost + one.lost,
        }))
    }
}

fn missing(map: &str) -> Error {
    Error::Io(format!("map {map}"), std::io::Error::new(std::io::ErrorKind::NotFound, "not in the object file"))
}

#[repr(transparent)]
#[derive(Clone, Copy)]
struct Counts(TraceCounters);

// SAFETY: made of numbers, without padding.
unsafe impl aya::Pod for Counts {}

#[cfg(test)]
mod tests {
    use aya::programs::Program;
    use lb_common::mac::Mac;

    use super::*;
    use crate::datapath::{capacities::InstanceOptions, trial::Laboratory};

    /// The kernel takes each of them, also those for which there is no interface in tests.
    #[test]
    fn every_program_that_tells_can_be_loaded() {
        if cfg!(without_datapath) || !nix::unistd::geteuid().is_root() {
            assert!(
                cfg!(without_datapath) || std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "CI=true, but not root"
            );
            eprintln!("SKIPPED: no program can be loaded here");
            return;
        }
        let _laboratory = Laboratory::enter().unwrap();
        let wanted = InstanceOptions { services: Some(1), slots: Some(1), servers: Some(1), role: None };
        let writer = Writer::create("settings", &wanted).unwrap();
        let mut names = Vec::new();
        for manner in [Emission::Events(4_096), Emission::Messages(aya_log::Level::Trace)] {
            let (prefix, settings) = settings(&Filter { sample: 3, after: 1, ..Filter::ALL }, manner);
            let constants = Constants { interface: 1, mac: Mac([2, 0, 0, 0, 0, 1]), group: u64::MAX };
            let mut programs = load_traced(&writer.pins, &writer.capacities, constants, Some(&settings)).unwrap();
            for (name, program) in programs.programs_mut().filter(|(name, _)| name.starts_with(prefix)) {
                let loaded = if let Program::Xdp(program) = program {
                    program.load()
                } else if let Program::SchedClassifier(program) = program {
                    program.load()
                } else {
                    panic!("{name}: {:?}", program.prog_type());
                };
                loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
                names.push(name.to_owned());
            }
        }
        assert_eq!(names.len(), 10, "{names:?}");
        writer.remove().unwrap();
    }
}
