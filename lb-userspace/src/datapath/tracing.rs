//! Swaps traced programs in, and regular programs back.
//!
//! While a traced program is in force, the interface's program pin still holds the regular one, so that swapping back
//! needs only the two pins. A command that traces holds a lock. If a link has a traced program and nobody holds the
//! lock, that command is dead, and the next command that writes swaps the regular program back ([`Writer::open`]).

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::maps::{MapData, PerCpuArray, RingBuf};
use lb_common::trace::{Filter, TraceCounters};

use super::{
    attach::{
        link::{self, Holder},
        load::{Constants, TraceSettings, load_traced},
        names::{RoleProgram, TRACING},
        object::Programs,
        tc,
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

/// The directory, next to that of the instances, that has a directory for each traced instance's lock.
const DIRECTORY: &str = "modlb-trace";

/// What a traced program reports packets by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceOutput {
    /// Events, in a buffer of this many bytes: a power of two.
    Events(u32),
    /// Log messages (aya-log) of this level and more important ones.
    Messages(aya_log::Level),
}

/// The right to trace an instance, which only one command at a time has.
#[derive(Debug)]
pub struct Claim {
    pins: Pins,
    _lock: Lock,
}

/// A traced program on an interface.
#[derive(Debug)]
pub struct Tracer {
    /// The interface.
    pub interface: Interface,
    /// The program's id.
    pub program: u32,
    programs: Programs,
}

impl Claim {
    /// Claims an instance.
    ///
    /// # Errors
    ///
    /// [`Error::Traced`]: another command traces it.
    pub fn take(instance: &str) -> Result<Self> {
        // Fails before it makes a directory for an instance that does not run.
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
    Pins::outside(&format!("{DIRECTORY}/{instance}"))
}

impl Datapath {
    /// The interfaces that have a traced program.
    pub fn traced(&self) -> Result<Vec<u32>> {
        let mut interfaces = Vec::new();
        for (index, link) in self.links()? {
            // The pinned program is compared first: it nearly always is the link's, and listing programs is slow.
            if link.program != link::program_id(&self.pins.program(index)) && link::is_traced(link.program) {
                interfaces.push(index);
            }
        }
        Ok(interfaces)
    }

    /// Whether a command that traces it is alive.
    pub fn is_being_traced(&self) -> bool {
        pins(self.pins.instance()).is_claimed()
    }

    /// Whether an interface still has this program.
    pub fn has(&self, interface: u32, program: u32) -> bool {
        let link = link::query(&self.pins.link(interface)).ok().flatten();
        link.is_some_and(|link| link.interface.is_some() && link.program == program)
    }
}

impl Writer {
    /// Replaces an interface's program by a traced one of the same variant.
    ///
    /// # Errors
    ///
    /// [`Error::TracedFilter`]; the kernel refuses the program.
    pub fn swap_in(
        &self,
        interface: &Interface,
        group: &Group,
        filter: &Filter,
        output: TraceOutput,
    ) -> Result<Tracer> {
        let (prefix, settings) = settings(filter, output);
        let mac = interface.mac.unwrap_or_default();
        let constants = Constants::new(self.role, interface.index, mac, group)?;
        let mut programs = load_traced(&self.pins, &self.capacities, constants, Some(&settings))?;
        let program = match RoleProgram::of(self.role, self.is_multi_buffer(interface.index)) {
            RoleProgram::Xdp(name) => {
                let program = loaded(&mut programs, &format!("{prefix}{name}"))?;
                self.set_program(interface.index, program.fd()?.as_fd())?;
                program.info()?.id()
            }
            RoleProgram::Tc(program) => {
                if self.links()?.iter().any(|(_, link)| link.holder == Holder::Clsact) {
                    return Err(Error::TracedFilter(self.pins.instance().to_owned()));
                }
                let program = tc::find(&mut programs, &format!("{prefix}{}", program.name))?;
                program.load()?;
                self.set_program(interface.index, program.fd()?.as_fd())?;
                program.info()?.id()
            }
        };
        Ok(Tracer { interface: interface.clone(), program, programs })
    }

    /// Swaps the regular programs back. Returns how many interfaces had a traced one.
    pub fn swap_out(&self) -> Result<usize> {
        let traced = self.traced()?;
        for index in &traced {
            let pin = self.pins.program(*index);
            let program = open_pin(&pin).map_err(Error::io(format!("opening {}", pin.display())))?;
            self.set_program(*index, program.as_fd())?;
        }
        Ok(traced.len())
    }

    fn set_program(&self, interface: u32, program: BorrowedFd<'_>) -> Result<()> {
        let pin = self.pins.link(interface);
        let update = || update_link(open_pin(&pin)?.as_fd(), program);
        update().map_err(Error::io(format!("replacing the program of {}", pin.display())))
    }

    /// Cleans up after a command that was killed together with its watchdog.
    pub(super) fn end_stale_tracing(&self) -> Result<()> {
        if self.traced()?.is_empty() || self.is_being_traced() {
            return Ok(());
        }
        let swapped = self.swap_out()?;
        log::warn!("a command that traced {swapped} interface(s) was killed; the regular programs are back");
        pins(self.pins.instance()).remove_claimed();
        Ok(())
    }
}

fn settings(filter: &Filter, output: TraceOutput) -> (&'static str, TraceSettings) {
    // SAFETY: the filter is made of numbers without padding, as its size is asserted to be.
    let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(filter).cast::<u8>(), size_of::<Filter>()) };
    let [trace, log] = TRACING;
    // The smallest buffer, where it is not used.
    const LEAST: u32 = 4_096;
    match output {
        TraceOutput::Events(room) => (trace, TraceSettings { filter: bytes.to_vec(), level: 0, room }),
        TraceOutput::Messages(level) => {
            (log, TraceSettings { filter: bytes.to_vec(), level: level as u8, room: LEAST })
        }
    }
}

impl Tracer {
    /// The buffer of events. It can be taken once.
    ///
    /// # Errors
    ///
    /// The program logs messages instead.
    pub fn events(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.programs.take_map("EVENTS").ok_or_else(|| missing("EVENTS"))?;
        RingBuf::try_from(map).map_err(|error| Error::Map("EVENTS", error))
    }

    /// The logger that messages come from. It can be taken once.
    ///
    /// # Errors
    ///
    /// The program emits events instead.
    pub fn messages<T: log::Log>(&mut self, logger: T) -> std::result::Result<aya_log::EbpfLogger<T>, aya_log::Error> {
        aya_log::EbpfLogger::init_with_logger(&mut self.programs, logger)
    }

    /// The sums over all CPUs so far.
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
    use crate::datapath::{capacities::InstanceOptions, trial::PrivateBpffs};

    /// Also those for which tests have no interface.
    #[test]
    fn every_traced_program_can_be_loaded() {
        if cfg!(without_datapath) || !nix::unistd::geteuid().is_root() {
            assert!(
                cfg!(without_datapath) || std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "CI=true, but not root"
            );
            eprintln!("SKIPPED: no program can be loaded here");
            return;
        }
        let _bpffs = PrivateBpffs::enter().unwrap();
        let wanted =
            InstanceOptions { services: Some(1), slots: Some(1), servers: Some(1), ..InstanceOptions::default() };
        let writer = Writer::create_here("traced", &wanted).unwrap();
        let mut names = Vec::new();
        for output in [TraceOutput::Events(4_096), TraceOutput::Messages(aya_log::Level::Trace)] {
            let (prefix, settings) = settings(&Filter { sample: 3, after: 1, ..Filter::ALL }, output);
            let constants = Constants { interface: 1, mac: Mac([2, 0, 0, 0, 0, 1]), group: u64::MAX, sent_isn: 0 };
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
        assert_eq!(names.len(), 12, "{names:?}");
        writer.remove().unwrap();
    }
}
