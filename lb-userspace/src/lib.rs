//! modlb's user space: everything but the parsing of the command line, so that tests can use it.

pub mod agent;
pub mod agreement;
pub mod cli;
pub mod commands;
pub mod config;
pub mod confirm;
pub mod datapath;
pub mod decide;
pub mod doctor;
pub mod explain;
pub mod guard;
pub mod judge;
pub mod locate;
pub mod net;
pub mod netns;
pub mod observe;
pub mod output;
pub mod plan;
pub mod replay;
pub mod serve;
pub mod slots;
pub mod top;
pub mod trace;
