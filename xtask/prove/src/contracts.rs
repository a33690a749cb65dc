//! What is known of the kernel's helpers and maps, on numbers and on terms.

/// `bpf_get_smp_processor_id`.
pub const CPU: i32 = 8;

/// `bpf_xdp_get_buff_len`.
pub const LENGTH: i32 = 188;

/// `bpf_map_lookup_elem`.
pub const LOOK_UP: i32 = 1;

/// `bpf_redirect_map`.
pub const REDIRECT: i32 = 51;

/// The map of devices.
pub const DEVICES: &str = "DEVICES";

/// What it returns if the device is there.
pub const XDP_REDIRECT: u64 = 4;

/// Where a frame goes is recorded as a store to this table, so that it is compared as stores are.
pub const REDIRECTION: &str = "redirection";

/// The entries of `PREFIXES`.
pub const PREFIXES: u64 = 4;

/// Maps that programs look entries up in, and the bytes of an entry.
pub const LOOKED_UP: [(&str, u64); 2] = [("REMOTES", 24), ("PREFIXES", 136)];
