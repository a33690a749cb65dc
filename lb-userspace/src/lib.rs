//! modlb's user space: everything but the parsing of the command line, so that tests can use it.

pub mod agent;
pub mod change;
pub mod cli;
pub mod commands;
pub mod config;
pub mod datapath;
pub mod decide;
pub mod doctor;
pub mod net;
pub mod observe;
pub mod output;
pub mod replay;
pub mod serve;
pub mod top;
pub mod trace;
