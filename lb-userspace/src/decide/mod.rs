//! Configuration and packet → answer: pure.

pub mod frame;
