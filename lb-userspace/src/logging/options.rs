//! What the command line says about the log.

use clap::{Args, ValueEnum};

/// How long-running commands log.
#[derive(Args, Clone, Copy, Debug)]
pub struct LogOptions {
    /// The form of log lines
    #[arg(long, value_enum, default_value_t = LogFormat::Auto, help_heading = "Log")]
    pub log_format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// `journal` under systemd, else `text`
    #[default]
    Auto,
    /// With the time, in UTC
    Text,
    /// With systemd's priorities instead of the time, which the journal adds
    Journal,
    /// An object with `time`, `level` and `message`
    Json,
}
