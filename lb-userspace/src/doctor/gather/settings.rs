//! Settings of interfaces (sysctl).

use std::{fs, io};

/// A setting of an interface, or of `all`.
pub fn setting(interface: &str, name: &str) -> io::Result<u32> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/{name}"))?;
    text.trim().parse().map_err(io::Error::other)
}

/// The larger value of the interface's and of `all`, which is the effective one.
pub fn effective(interface: &str, name: &str) -> u32 {
    let read = |of| setting(of, name).unwrap_or_default();
    read("all").max(read(interface))
}
