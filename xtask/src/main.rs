//! `cargo xtask`: the tasks that developers run.

mod bench;
mod build;
mod deb;
mod demo;
mod fuzz;
mod interrupt;
mod lint;
mod process;
mod prove;
mod setup;
mod spelling;
mod test;
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

/// Sets up, builds, tests and demonstrates modlb.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing; the other tasks do so by themselves
    ///
    /// Says first what it would install, and asks if it runs on a terminal. It never removes a package.
    #[command(after_help = "Examples: prepare a machine for everything; without a question\n  cargo xtask setup\n  \
                            cargo xtask setup --yes")]
    Setup {
        /// Do not ask before packages are installed
        #[arg(long)]
        yes: bool,
    },
    /// Build the `modlb` command, optimised, with the datapath in it
    #[command(after_help = "Example:\n  cargo xtask build && sudo target/release/modlb --help")]
    Build,
    /// Run all tests, those that need root included
    #[command(
        after_help = "Examples: all; those whose name contains `slots`; random packets for ten minutes; another kernel\n  \
                      cargo xtask test\n  cargo xtask test -- slots\n  cargo xtask test --soak 10\n  cargo xtask test --kernel 6.1"
    )]
    Test {
        /// Compare random packets with the oracle, then watch two balancers under random events, with fresh seeds, each
        /// for so long; nothing else is tested
        #[arg(long, value_name = "MINUTES")]
        soak: Option<u64>,
        /// Run the privileged tests on Debian's kernel of this version, such as 6.1 or 6.1-rt, in an emulated machine
        #[arg(long, value_name = "VERSION", conflicts_with = "soak")]
        kernel: Option<String>,
        /// Handed to `cargo test`; with `--kernel`: words, of which one must be in the names of the tests of
        /// datapath, topology and lifecycle that run
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Feed the parsers of frames, configurations and captures with what is likely to break them
    #[command(
        after_help = "Examples: each target for five minutes; one of them for six seconds; a finding once more\n  \
                      cargo xtask fuzz 5\n  cargo xtask fuzz 0.1 parse\n  \
                      cargo xtask fuzz --repeat target/fuzz/findings/parse/crash-0123abcd"
    )]
    Fuzz {
        /// How long, for each target
        #[arg(required_unless_present = "repeat")]
        minutes: Option<f64>,
        /// Only this one
        #[arg(value_enum)]
        target: Option<fuzz::Target>,
        /// Try one input, in a directory named after its target
        #[arg(long, value_name = "PATH", conflicts_with = "minutes")]
        repeat: Option<PathBuf>,
    },
    /// Watch real HTTP requests being balanced, in network namespaces that go away afterwards
    #[command(
        after_help = "Examples: a gateway; a second one takes over; servers come and go; servers that all receive everything; stateful\n\
                      routers side by side\n  \
                      cargo xtask demo\n  cargo xtask demo --ha\n  cargo xtask demo --resize\n  cargo xtask demo --cluster\n  cargo xtask demo --routers"
    )]
    Demo {
        /// Two balancers, of which the second takes over in mid-transfer
        #[arg(long, conflicts_with_all = ["resize", "cluster", "routers"])]
        ha: bool,
        /// Servers come and go, a balancer dies, another is late: no connection breaks
        #[arg(long, conflicts_with_all = ["cluster", "routers"])]
        resize: bool,
        /// Servers that all receive every packet, each of which takes its own
        #[arg(long, conflicts_with = "routers")]
        cluster: bool,
        /// Stateful routers side by side, of which each session uses one
        #[arg(long)]
        routers: bool,
        /// The command to demonstrate; omitted: built first
        #[arg(long, value_name = "PATH", hide = true)]
        modlb: Option<PathBuf>,
    },
    /// Measure how fast modlb is, as ratios to what nothing can be faster than
    #[command(
        after_help = "Examples: everything; in under two minutes; one part; what got slower since\n  cargo xtask bench\n  \
                      cargo xtask bench --quick\n  cargo xtask bench --only program\n  \
                      cargo xtask bench --compare docs/benchmarks/results.json"
    )]
    Bench(bench::Options),
    /// Prove that the datapath's fast path decides as its general path does, for every packet and every table
    #[command(after_help = "Examples: the datapath as it is; whether faults that are planted in it are found\n  \
                      cargo xtask prove\n  cargo xtask prove --planted")]
    Prove(prove::Options),
    /// Build a package for Debian and its kin, and say how exposed its service is
    #[command(
        after_help = "Examples: the package; the same, installed, upgraded under load and removed in a machine made for it\n  \
                      cargo xtask deb\n  cargo xtask deb --test"
    )]
    Deb(deb::Options),
    /// Check format and lints of every crate, and all that `tidy` checks
    #[command(after_help = "Example:\n  cargo xtask lint")]
    Lint,
    /// Check how the sources are laid out, and that documents say what is so: seconds, without root
    #[command(after_help = "Example: while you work\n  cargo xtask tidy")]
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    std::env::set_current_dir(process::root())?;
    match task {
        Task::Setup { yes } => setup::everything(yes),
        Task::Build => build::run().map(|path| println!("{}", path.display())),
        Task::Test { soak: Some(minutes), args, .. } => test::soak(minutes, &args),
        Task::Test { kernel: Some(version), args, .. } => test::kernel::run(&version, &args),
        Task::Test { args, .. } => test::run(&args),
        Task::Fuzz { repeat: Some(input), .. } => fuzz::repeat(&input),
        Task::Fuzz { minutes, target, .. } => fuzz::run(minutes.unwrap_or_default(), target),
        Task::Demo { ha: true, modlb, .. } => demo::run(demo::Story::HighAvailability, modlb),
        Task::Demo { resize: true, modlb, .. } => demo::run(demo::Story::Resize, modlb),
        Task::Demo { cluster: true, modlb, .. } => demo::run(demo::Story::Cluster, modlb),
        Task::Demo { routers: true, modlb, .. } => demo::run(demo::Story::Routers, modlb),
        Task::Demo { modlb, .. } => demo::run(demo::Story::Gateway, modlb),
        Task::Bench(options) => bench::run(&options),
        Task::Prove(options) => prove::run(&options),
        Task::Deb(options) => deb::run(&options),
        Task::Lint => lint::run(&tasks()),
        Task::Tidy => tidy::run(&tasks()),
    }
}

/// The names of all tasks.
fn tasks() -> Vec<String> {
    Cli::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}
