//! Test runs: for each repeat the driver writes a new packet and calls the program.
//!
//! Trap: the kernel reports whole nanoseconds for a repeat, too coarse for programs that take twenty. So the system
//! call is timed, by this thread's CPU time, which stands still while something else has the CPU.
//!
//! Trap: for every test run of an unattached program the kernel rewrites the code that calls XDP programs, and waits
//! for a grace period each time. So the driver is attached to an interface without traffic. The egress driver need not
//! be.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, TestRunResult,
    maps::{Array, MapData, ProgramArray},
    programs::{Program, ProgramFd, SchedClassifier, TestRun as _, TestRunAttrs, TestRunOptions, Xdp, xdp::XdpMode},
};
use lb_common::mac::Mac;
use lb_ebpf::load::Load;
use nix::errno::Errno;

use crate::{
    frame::{Frame, Spread},
    namespace::Namespace,
};

/// Where a program runs. Each has its own driver, since a program can only call programs of the same type.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hook {
    /// XDP, on received frames.
    Xdp,
    /// TC, on sent frames.
    Egress,
}

/// A program's place in its driver's table, or the first of several places with equivalent programs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Slot {
    hook: Hook,
    number: u32,
    alike: u32,
}

impl Slot {
    /// Where the program runs.
    pub const fn hook(self) -> Hook {
        self.hook
    }

    /// With one more place, whose program does the same.
    #[must_use]
    pub const fn and_next(self) -> Self {
        Self { alike: self.alike + 1, ..self }
    }

    /// The one whose turn it is.
    #[must_use]
    pub const fn in_turn(self, round: usize) -> Self {
        Self { number: self.number + (round % self.alike as usize) as u32, alike: 1, ..self }
    }

    /// How many there are that take turns.
    pub const fn instances(self) -> usize {
        self.alike as usize
    }

    /// Its number in the driver's table.
    pub const fn number(self) -> u32 {
        self.number
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The program's verdict.
    pub action: u32,
    /// The frame before.
    pub before: Vec<u8>,
    /// The frame after.
    pub after: Vec<u8>,
}

/// The drivers, and the programs that they can call.
pub struct Driver {
    macs: [Mac; 2],
    ebpf: Ebpf,
    programs: ProgramArray<MapData>,
    egress_programs: ProgramArray<MapData>,
    load: Array<MapData, Words>,
    next: u32,
    _namespace: Namespace,
}

/// A [`Load`] as words, which aya can write.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
struct Words(Load);

// SAFETY: a `Load` consists of numbers without padding.
unsafe impl aya::Pod for Words {}

/// Any number but 0; the same for each run, so that all runs see the same packets.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl Driver {
    /// Loads the drivers and the benchmark's own programs. Frames come to `interface` and are sent to `server`.
    pub fn new(interface: Mac, server: Mac) -> Result<Self> {
        let macs = [interface, server];
        let mut ebpf = load(macs)?;
        let mut map = |name: &str| ebpf.take_map(name).with_context(|| format!("no map {name}"));
        let (programs, egress_programs) = (map("PROGRAMS")?.try_into()?, map("EGRESS_PROGRAMS")?.try_into()?);
        let load = map("LOAD")?.try_into()?;
        load_program(&mut ebpf, "egress_driver")?;
        let driver: &mut Xdp = ebpf.program_mut("driver").context("no program driver")?.try_into()?;
        driver.load()?;
        let namespace = Namespace::new("driver")?;
        namespace.ip("link add eth0 type veth peer name peer0")?;
        namespace.within(|| Ok(driver.attach("eth0", XdpMode::Skb)?))?;
        Ok(Self { macs, ebpf, programs, egress_programs, load, next: 0, _namespace: namespace })
    }

    /// One of the benchmark's own programs.
    pub fn add_own(&mut self, name: &str) -> Result<Slot> {
        let program = load_program(&mut self.ebpf, name)?;
        let (hook, fd) = (hook_of(program), program.fd()?.try_clone()?);
        self.add(hook, &fd)
    }

    /// This many copies of one of the benchmark's own programs, which take turns.
    ///
    /// Trap: the kernel puts each program that it compiles at another place, for as long as it is loaded, and a short
    /// one takes several percent more at one place than at another.
    pub fn add_copies(&mut self, name: &str, copies: usize) -> Result<Slot> {
        let slot = self.add_own(name)?;
        let mut all = slot;
        for _ in 1..copies {
            let mut ebpf = load(self.macs)?;
            let program = load_program(&mut ebpf, name)?;
            self.add(slot.hook, program.fd()?)?;
            all = all.and_next();
        }
        Ok(all)
    }

    /// One of the benchmark's own programs, loaded but not attached.
    pub fn own(&mut self, name: &str) -> Result<&mut Xdp> {
        let program: &mut Xdp =
            self.ebpf.program_mut(name).with_context(|| format!("no program {name}"))?.try_into()?;
        if program.fd().is_err() {
            program.load().with_context(|| format!("the kernel refused {name}"))?;
        }
        Ok(program)
    }

    /// One of the benchmark's maps.
    pub fn map(&self, name: &str) -> Result<&aya::maps::Map> {
        self.ebpf.map(name).with_context(|| format!("no map {name}"))
    }

    /// The same, to be written.
    pub fn map_mut(&mut self, name: &str) -> Result<&mut aya::maps::Map> {
        self.ebpf.map_mut(name).with_context(|| format!("no map {name}"))
    }

    /// Sends this many frames by an interface of this thread's network namespace, on this CPU, in batches of `batch`;
    /// returns how long it took.
    pub fn send(&mut self, load: &Load, frame: &[u8], interface: u32, batch: u32, repeat: u32) -> Result<Duration> {
        self.load.set(0, Words(*load), 0)?;
        // A `struct xdp_md`: where the data is, and the interface that received it. A live frame with the verdict
        // XDP_TX leaves by that interface.
        let context = [0, frame.len() as u32, 0, interface, 0, 0].map(u32::to_ne_bytes).concat();
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.ctx_in = Some(&context);
        options.repeat = repeat;
        options.attrs = TestRunAttrs::new().xdp_live_frames(batch);
        let driver = self.driver()?;
        let start = Instant::now();
        driver.test_run(options).context("the kernel cannot send live frames, which takes Linux 5.18")?;
        Ok(start.elapsed())
    }

    /// Adds a program that is not the benchmark's own.
    pub fn add(&mut self, hook: Hook, program: &ProgramFd) -> Result<Slot> {
        let number = self.next;
        let programs = match hook {
            Hook::Xdp => &mut self.programs,
            Hook::Egress => &mut self.egress_programs,
        };
        programs.set(number, program, 0).context("the kernel refuses to call this program from the driver")?;
        self.next += 1;
        Ok(Slot { hook, number, alike: 1 })
    }

    /// Runs a program on one frame, which `seed` selects; it must not be 0.
    pub fn once(&mut self, slot: Slot, frame: &Frame, spread: Spread, echo: Slot, seed: u64) -> Result<Run> {
        let (_, before) = self.look(echo, frame, spread, seed)?;
        let (action, after) = self.look(slot, frame, spread, seed)?;
        Ok(Run { action, before, after })
    }

    fn look(&mut self, slot: Slot, frame: &Frame, spread: Spread, seed: u64) -> Result<(u32, Vec<u8>)> {
        self.load.set(0, Words(frame.load(spread, slot.number, seed)), 0)?;
        let mut out = vec![0; frame.bytes.len() + 64];
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame.bytes);
        options.data_out = Some(&mut out);
        let result = self.run(slot.hook, options)?;
        out.truncate(result.data_size_out as usize);
        Ok((result.return_value, out))
    }

    /// Runs a program on this many frames; returns the nanoseconds of CPU time for each.
    pub fn time(&mut self, slot: Slot, frame: &Frame, spread: Spread, repeat: u32) -> Result<f64> {
        self.load.set(0, Words(frame.load(spread, slot.number, SEED)), 0)?;
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame.bytes);
        options.repeat = repeat;
        let start = cpu_time()?;
        let result = self.run(slot.hook, options)?;
        let end = cpu_time()?;
        ensure!(result.return_value != 0, "the driver could not make the packet, or there is no program to call");
        Ok((end - start).as_nanos() as f64 / f64::from(repeat))
    }

    fn run(&self, hook: Hook, options: TestRunOptions<'_>) -> Result<TestRunResult> {
        Ok(match hook {
            Hook::Xdp => self.driver()?.test_run(options)?,
            Hook::Egress => self.egress_driver()?.test_run(options)?,
        })
    }

    fn driver(&self) -> Result<&Xdp> {
        Ok(self.ebpf.program("driver").context("no program driver")?.try_into()?)
    }

    fn egress_driver(&self) -> Result<&SchedClassifier> {
        Ok(self.ebpf.program("egress_driver").context("no program egress_driver")?.try_into()?)
    }
}

/// The benchmark's object. Frames come to the first MAC and are sent to the second.
fn load([interface, server]: [Mac; 2]) -> Result<Ebpf> {
    let (interface, server) = (number(interface), number(server));
    EbpfLoader::new()
        .override_global("INTERFACE_MAC", &interface, true)
        .override_global("SERVER_MAC", &server, true)
        .load(object())
        .context("the kernel refused the benchmark's programs")
}

fn hook_of(program: &Program) -> Hook {
    if matches!(program, Program::Xdp(_)) { Hook::Xdp } else { Hook::Egress }
}

fn load_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    let loaded = if let Program::Xdp(program) = program {
        program.load()
    } else {
        <&mut SchedClassifier>::try_from(&mut *program)?.load()
    };
    loaded.with_context(|| format!("the kernel refused {name}"))?;
    Ok(program)
}

/// A MAC as a number whose first six bytes in memory are the MAC.
fn number(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}

fn cpu_time() -> Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which outlives the call.
    Errno::result(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) })?;
    Ok(Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
}

#[cfg(not(without_datapath))]
fn object() -> &'static [u8] {
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"))
}

/// There is none; loading it fails with an error that explains why.
#[cfg(without_datapath)]
fn object() -> &'static [u8] {
    &[]
}
