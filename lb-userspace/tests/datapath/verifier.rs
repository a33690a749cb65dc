//! How much work the kernel's verifier has with each program.
//!
//! It gives up at a million instructions (`BPF_COMPLEXITY_LIMIT_INSNS`), and every version of Linux counts differently.
//! The room that is left is for versions that nobody tries.

use std::{
    fs::File,
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{support::wait::wait, *};

/// As many instructions may be processed for a program.
const MOST: u32 = 300_000;

/// What a role's configuration begins with, an MTU, and options. A veth does not run a member's program natively.
const PROGRAMS: [(&str, u16, &str); 5] = [
    ("role = \"balancer\"\n", 1_500, "--mode generic"),
    ("role = \"balancer\"\n", 9_000, "--mode native"),
    ("role = \"member\"\nself = [\"10.0.0.12\"]\n", 1_500, "--mode generic"),
    ("role = \"steer\"\n", 1_500, ""),
    ("role = \"keep\"\nself = [\"10.0.0.12\"]\n", 1_500, ""),
];

#[test]
fn every_program_leaves_the_verifier_room() {
    need_root!();
    for (head, mtu, options) in PROGRAMS {
        let bench = Bench::one(mtu, options, &format!("{head}{}", service("web", WEB, HTTPS, 11..14)));
        let regular = judge(&bench);
        // Filters cannot be traced.
        if bench.modlb.json("status")["interfaces"][0]["link"] == "clsact" {
            continue;
        }
        for command in ["trace", "logs"] {
            let tracing = Tracing::start(&bench, command);
            wait(|| id(&bench) != regular, || format!("`{command}` does not begin"));
            judge(&bench);
            tracing.end();
            wait(|| id(&bench) == regular, || format!("`{command}` does not end"));
        }
    }
}

/// Checks the program that is attached now; returns its number.
fn judge(bench: &Bench) -> u64 {
    let id = id(bench);
    let mut programs = aya::programs::loaded_programs().map(Result::unwrap);
    let program = programs.find(|program| u64::from(program.id()) == id).unwrap();
    let (name, processed) = (program.name_as_str().unwrap(), program.verified_instruction_count().unwrap());
    eprintln!("{name}: {processed} instructions processed, {} bytes", program.size_translated().unwrap_or(0));
    assert!(0 < processed && processed < MOST, "{name}: {processed} instructions processed");
    id
}

fn id(bench: &Bench) -> u64 {
    bench.modlb.json("status")["interfaces"][0]["program_id"].as_u64().unwrap()
}

/// A command that has other programs in place while it runs.
struct Tracing(Child);

impl Tracing {
    fn start(bench: &Bench, command: &str) -> Self {
        let nowhere = || File::create("/dev/null").unwrap();
        let mut command = bench.modlb.command(command);
        Self(command.stdin(Stdio::null()).stdout(nowhere()).stderr(nowhere()).spawn().unwrap())
    }

    fn end(mut self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
