//! `modlb apply`, `confirm`, `check` and `transition`: configurations.

use std::path::PathBuf;

use clap::Args;

use super::global::Format;

/// `modlb apply`.
#[derive(Args, Clone, Debug)]
pub struct Apply {
    /// The configuration; `-` reads standard input
    pub file: PathBuf,
    /// Print what would change without changing it
    #[arg(long)]
    pub dry_run: bool,
    /// Roll back after SECONDS unless `modlb confirm` follows, even if this terminal is gone
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub confirm: Option<u32>,
    /// Proceed even if a service takes the SSH connection that this command was started over, no server is left, or the
    /// network namespace of a service's `sockets` is not there
    #[arg(long)]
    pub force: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb confirm`.
#[derive(Args, Clone, Copy, Debug)]
pub struct Confirm {
    /// Roll back at once
    #[arg(long)]
    pub undo: bool,
    /// Be the process that waits for the confirmation
    #[arg(long, hide = true, conflicts_with = "undo")]
    pub wait: bool,
}

/// `modlb check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration; `-` reads standard input
    pub file: PathBuf,
    /// How to print.
    #[command(flatten)]
    pub format: Format,
}

/// `modlb transition`.
#[derive(Args, Clone, Debug)]
pub struct Transition {
    /// The configuration in force; `-` reads standard input, for instance from `modlb export`
    #[arg(required_unless_present = "end")]
    pub old: Option<PathBuf>,
    /// The configuration to come, or `-`; its comments and its order are kept
    #[arg(required_unless_present = "end")]
    pub new: Option<PathBuf>,
    /// Print OLD instead, with the lists of NEW as the newest previous ones: once servers have it, it does not matter
    /// in which order hosts learn of NEW
    #[arg(long, conflicts_with = "end")]
    pub announce: bool,
    /// Print FILE without previous lists, for when the transition is over
    #[arg(long, value_name = "FILE", conflicts_with_all = ["old", "new"])]
    pub end: Option<PathBuf>,
}
