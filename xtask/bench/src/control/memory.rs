//! How much memory an instance's maps take.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context as _, Result};
use aya::maps::MapData;

use super::{
    bed::{Bed, configuration},
    row::row,
};
use crate::{modlb::Modlb, options::Options, progress::Progress, result::Row};

/// A name for each capacity, and the options of `attach` for it.
const CAPACITIES: [(&str, &str); 3] = [
    ("for 64 services, 65,536 slots, 1,024 servers", "--max-services 64 --max-slots 65536 --max-servers 1024"),
    ("by default: 4,096 services, 262,144 slots, 65,536 servers", ""),
    (
        "for 16,384 services, 1,048,576 slots, 262,144 servers",
        "--max-services 16384 --max-slots 1048576 --max-servers 262144",
    ),
];

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: memory of maps");
    let mut rows = Vec::new();
    for (name, capacity) in CAPACITIES {
        let bed = Bed::with(options, "maps", capacity, &configuration(1, 1, 1, 0))?;
        rows.push(row(format!("maps {name}"), "MiB", &[memory(&bed.modlb)? as f64 / f64::from(1 << 20)]));
    }
    Ok(rows)
}

/// The memory of all pinned maps in bytes, as the kernel reports it.
fn memory(modlb: &Modlb) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(modlb.pins())? {
        let path = entry?.path();
        // Links and programs are pinned as well, with names in lower case.
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(|first: char| first.is_ascii_uppercase()))
        {
            let map = MapData::from_pin(&path)?;
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd()))?;
            let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
            bytes += line
                .with_context(|| format!("the kernel does not report the memory of {}", path.display()))?
                .trim()
                .parse::<u64>()?;
        }
    }
    Ok(bytes)
}
