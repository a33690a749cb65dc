//! modlb's user space, as a library so that tests can use it.

pub mod agent;
pub mod change;
pub mod cli;
pub mod commands;
pub mod config;
pub mod datapath;
pub mod decide;
pub mod doctor;
pub mod logging;
pub mod net;
pub mod observe;
pub mod output;
pub mod replay;
pub mod serve;
pub mod top;
pub mod trace;
