//! Runs a program that is attached to nothing on given frames, by `BPF_PROG_TEST_RUN`.
//!
//! Trap: maps are shared by pins, and pins outlive a command that is killed. So these pins are in a BPF file system
//! that only this process sees. The kernel removes it with the process, and no running instance can be touched.

use aya::programs::{ProgramError, TestRun as _, TestRunOptions, Xdp};
use lb_common::{mac::Mac, table::Counter};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{
    attach::{
        load::{Constants, load},
        names::BALANCER,
        object::Programs,
        variant::xdp,
    },
    capacities::{InstanceOptions, Need},
    error::{Error, Result},
    place::Placed,
    store::{bpffs, instance::Writer, totals::Totals},
};

/// The shortest frame that the kernel runs a program on: an Ethernet header (`ETH_HLEN`).
const SHORTEST: usize = 14;

/// Lengths that are tried to find the longest possible frame: that of the first one that the kernel takes. Kernels
/// before 5.18 refuse frames that do not fit in a page.
const PROBES: [usize; 2] = [65_549, 3_000];

/// How many bytes a program may add to a frame.
const GROWTH: usize = 64;

/// A mounted BPF file system that other processes do not see.
#[derive(Debug)]
pub struct PrivateBpffs {
    trials: u32,
}

/// A loaded program with a configuration in force.
pub struct Trial {
    writer: Writer,
    ebpf: Programs,
    out: Vec<u8>,
    longest: usize,
    /// What was counted before the first frame.
    before: Vec<Counter>,
}

/// What the program did with a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Sent it, to this MAC.
    Sent(Mac),
    /// Dropped it.
    Dropped,
    /// Left it to the kernel.
    Passed,
}

impl PrivateBpffs {
    /// Gives this thread its own mount namespace, for good, and mounts the file system there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: it needs root (`CAP_SYS_ADMIN`).
    pub fn enter() -> Result<Self> {
        let new = || -> nix::Result<()> {
            unshare(CloneFlags::CLONE_NEWNS)?;
            // Later mounts must not propagate to the namespace that these were copied from.
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        };
        new().map_err(Error::errno("mounting a private BPF file system"))?;
        bpffs::mount_it()?;
        Ok(Self { trials: 0 })
    }

    /// Loads the program of an interface with this MAC and puts a configuration in force.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::prepare`]; the kernel refuses the program.
    pub fn start(&mut self, placed: &Placed, mac: Mac) -> Result<Trial> {
        self.trials += 1;
        // That it ends with this process is the point.
        let mut writer = Writer::create_here(&format!("trial-{}", self.trials), &capacities(placed))?;
        let prepared = writer.prepare(placed)?;
        writer.publish(&prepared)?;
        let mut ebpf = load(&writer.pins, &writer.capacities, Constants { interface: 0, mac, group: 0, sent_isn: 0 })?;
        xdp(&mut ebpf, BALANCER)?.load()?;
        let mut trial = Trial { writer, ebpf, out: Vec::new(), longest: 0, before: Vec::new() };
        trial.probe()?;
        Ok(trial)
    }
}

/// The capacities that the configuration needs.
fn capacities(placed: &Placed) -> InstanceOptions {
    let Need { services, slots, servers, previous } = Need::of(&placed.config);
    InstanceOptions {
        role: Some(placed.config.role),
        services: Some(services.max(1)),
        slots: Some(slots.max(1)),
        servers: Some(servers.max(previous).max(1)),
        ..InstanceOptions::default()
    }
}

impl Trial {
    /// Finds out how much of a long frame the program sees, from the bytes that it counts.
    ///
    /// Trap: without an error, the kernel runs a program that does not take several buffers (`xdp.frags`) on the first
    /// buffer of a long frame, which the program takes for the whole.
    fn probe(&mut self) -> Result<()> {
        self.longest = 0;
        for length in PROBES {
            if self.run(&vec![0xff; length]).is_ok() {
                self.before = self.writer.totals()?.outcomes;
                self.longest = self.before.iter().map(|counter| counter.bytes as usize).sum();
                break;
            }
        }
        Ok(())
    }

    /// Whether the program can be run on a frame of this length and sees all of it.
    pub fn takes(&self, length: usize) -> bool {
        (SHORTEST..=self.longest).contains(&length)
    }

    /// Runs the program on a frame that it [takes](Trial::takes).
    ///
    /// # Errors
    ///
    /// The kernel does not run the program on this frame, or the program returns an unexpected action.
    pub fn run(&mut self, frame: &[u8]) -> Result<Action> {
        const XDP_DROP: u32 = 1;
        const XDP_PASS: u32 = 2;
        const XDP_TX: u32 = 3;
        const XDP_REDIRECT: u32 = 4;
        if self.out.len() < frame.len() + GROWTH {
            self.out.resize(frame.len() + GROWTH, 0);
        }
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut self.out);
        let program: &Xdp = self
            .ebpf
            .program(BALANCER)
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::Program(ProgramError::NotLoaded))?;
        let result = program.test_run(options)?;
        match (result.return_value, self.out.first_chunk()) {
            (XDP_TX | XDP_REDIRECT, Some(destination)) => Ok(Action::Sent(Mac(*destination))),
            (XDP_DROP, _) => Ok(Action::Dropped),
            (XDP_PASS, _) => Ok(Action::Passed),
            (action, _) => Err(Error::Io("the program".into(), std::io::Error::other(format!("returned {action}")))),
        }
    }

    /// The counters, without the probes.
    pub fn totals(&self) -> Result<Totals> {
        let mut totals = self.writer.totals()?;
        for (counter, before) in totals.outcomes.iter_mut().zip(&self.before) {
            counter.packets -= before.packets;
            counter.bytes -= before.bytes;
        }
        Ok(totals)
    }
}
