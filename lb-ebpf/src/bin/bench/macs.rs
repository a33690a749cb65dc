//! The MACs of the benchmark.

use aya_ebpf::Global;

/// The MAC that frames come to, in the first six bytes.
#[unsafe(no_mangle)]
pub static INTERFACE_MAC: Global<u64> = Global::new(0);

/// The MAC that they are sent to, in the first six bytes.
#[unsafe(no_mangle)]
pub static SERVER_MAC: Global<u64> = Global::new(0);
