//! One program, loaded with tables of its own.

use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd as _, OwnedFd},
    rc::Rc,
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, xdp::DevMapHash},
    programs::{Program, TestRun as _, TestRunOptions, Xdp},
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use super::{
    bpf::{self, Memory},
    object,
};
use crate::{
    contracts::{GLOBALS, LOOKED_UP},
    image::Image,
    programs::Kind,
    table_sizes,
    world::Numbers,
};

/// What became of a frame in the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub action: u64,
    pub frame: Vec<u8>,
    /// All bytes of each table that are not 0.
    pub tables: BTreeMap<(Rc<str>, u64), u8>,
}

/// A program in the kernel.
#[derive(Debug)]
pub struct Loaded {
    ebpf: Ebpf,
    program: String,
    memory: BTreeMap<Rc<str>, Memory>,
    /// The instructions refer to these.
    _tables: Vec<OwnedFd>,
}

/// How many bytes a program may add to a frame.
const GROWTH: usize = 64;

/// The shortest frame that the kernel runs a program on.
pub const SHORTEST: usize = 14;

impl Loaded {
    /// Loads a program of the image, which was read from the file, with numbers that user space fills in. An error of
    /// the kind [`Refused`]: the kernel does not take it.
    pub fn new(file: &[u8], image: &Image, program: &str, world: &Numbers) -> Result<Self> {
        let (mut tables, mut memory, mut numbers) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for table in table_sizes::ALL {
            let bytes = world.table_bytes(table.name).context("no table is that long")?;
            let map = bpf::create(bytes)?;
            memory.insert(table.name.into(), Memory::of(&map, bytes)?);
            numbers.insert(table.name, map.as_raw_fd());
            tables.push(map);
        }
        let object = object::with(file, image, &world.numbers, &numbers)?;
        let globals = GLOBALS.map(|name| (name, world.word(name)));
        let mut loader = EbpfLoader::new();
        for (name, value) in &globals {
            loader.override_global(name, value, true);
        }
        for (name, _) in LOOKED_UP {
            loader.map_max_entries(name, u32::try_from(world.entries())?);
        }
        let mut ebpf = loader.load(&object).context("the loader refuses the object")?;
        let mut devices: DevMapHash<_> = ebpf.map_mut("DEVICES").context("no map DEVICES")?.try_into()?;
        for device in &world.devices {
            devices.insert(u32::try_from(*device)?, u32::try_from(*device)?, None, 0)?;
        }
        for (name, entry) in LOOKED_UP {
            let map = ebpf.map(name).with_context(|| format!("no map {name}"))?;
            let Map::Array(map) = map else { continue };
            memory.insert(name.into(), Memory::of(map.fd(), entry * world.entries())?);
        }
        let loaded = match ebpf.program_mut(program).with_context(|| format!("no program {program}"))? {
            Program::SchedClassifier(loaded) => loaded.load(),
            other => <&mut Xdp>::try_from(other)?.load(),
        };
        loaded.map_err(|error| Refused(last_line(&error)))?;
        Ok(Self { ebpf, program: program.to_owned(), memory, _tables: tables })
    }

    /// Runs it on what it is to find. Other numbers than those that it was loaded with are of no effect.
    pub fn run(&mut self, world: &Numbers) -> Result<Seen> {
        let before = sched_getaffinity(THIS_THREAD)?;
        on_cpu(world.cpu)?;
        let seen = self.run_here(world);
        sched_setaffinity(THIS_THREAD, &before)?;
        seen
    }

    fn run_here(&mut self, world: &Numbers) -> Result<Seen> {
        for memory in self.memory.values_mut() {
            memory.bytes_mut().fill(0);
        }
        // Those of a global are part of what was loaded.
        for ((table, at), byte) in world.tables.iter().filter(|((table, _), _)| !GLOBALS.contains(&&**table)) {
            let place = self.memory.get_mut(table).and_then(|memory| memory.bytes_mut().get_mut(*at as usize));
            *place.with_context(|| format!("{table} has no byte {at:#x}"))? = *byte;
        }
        ensure!(world.frame.len() >= SHORTEST, "the kernel runs nothing on {} bytes", world.frame.len());
        let whole = world.whole();
        let mut frame = vec![0; whole.len() + GROWTH];
        let context = context(world);
        let mut options = TestRunOptions::new();
        options.data_in = Some(&whole);
        options.data_out = Some(&mut frame);
        options.ctx_in = context.as_deref();
        let result = match self.ebpf.program(&self.program).context("the program is gone")? {
            Program::SchedClassifier(program) => program.test_run(options),
            other => <&Xdp>::try_from(other)?.test_run(options),
        };
        let result = result.context("the kernel does not run the program on this frame")?;
        frame.truncate(result.data_size_out as usize);
        let mut tables = BTreeMap::new();
        for (name, memory) in &self.memory {
            let bytes = memory.bytes().iter().enumerate().filter(|(_, byte)| **byte != 0);
            tables.extend(bytes.map(|(at, byte)| ((name.clone(), at as u64), *byte)));
        }
        Ok(Seen { action: result.return_value.into(), frame, tables })
    }
}

/// What a program is handed, where it is more than a frame.
fn context(world: &Numbers) -> Option<Vec<u8>> {
    let first = world.frame.len() as u32;
    match world.kind {
        Kind::Socket => {
            let mut context = vec![0; SOCKET_BUFFER];
            context[SEGMENTS..SEGMENTS + 4].copy_from_slice(&(world.segments as u32).to_le_bytes());
            Some(context)
        }
        // Where data begins and ends, nothing of metadata, the interface and its queue.
        Kind::Buffers if world.length() > first.into() => {
            Some([0, first, 0, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect())
        }
        _ => None,
    }
}

/// The bytes of `__sk_buff`, and where the number of segments is.
const SOCKET_BUFFER: usize = 192;
const SEGMENTS: usize = 164;

/// The kernel takes no such program; this is what its verifier said last.
#[derive(Debug)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the kernel's verifier refuses it: {}", self.0)
    }
}

impl std::error::Error for Refused {}

fn last_line(error: &dyn std::error::Error) -> String {
    let whole = format!("{error:?} {error}");
    let lines = whole.split(['\n']).flat_map(|line| line.split("\\n")).filter(|line| !line.trim().is_empty());
    let said: Vec<_> =
        lines.filter(|line| !line.contains("processed") && !line.contains("verification time")).collect();
    said.iter().rev().find(|line| !line.contains("stack depth")).map(|line| line.trim().to_owned()).unwrap_or_default()
}

/// Whether this process may load programs.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

const THIS_THREAD: Pid = Pid::from_raw(0);

/// This thread runs on this CPU from now on.
fn on_cpu(cpu: u64) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(usize::try_from(cpu)?).with_context(|| format!("no CPU {cpu}"))?;
    sched_setaffinity(THIS_THREAD, &cpus).with_context(|| format!("this machine has no CPU {cpu}"))
}
