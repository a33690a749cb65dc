//! The kernel on this machine as a judge: programs are loaded, and run on a frame by `BPF_PROG_TEST_RUN`.
//!
//! Nothing is pinned or attached, so nothing of a running instance is touched, and all of it ends with this process.

mod bpf;
mod frames;
mod object;
mod program;

pub mod confirm;
pub mod states;
pub mod trial;

pub use program::SHORTEST;
