//! What an agent takes that has nothing to do.

use std::{
    fmt::Write as _,
    fs,
    os::unix::process::CommandExt as _,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{bed::Bed, row::row};
use crate::{
    interrupt,
    modlb::Modlb,
    options::Options,
    progress::Progress,
    result::{Row, Target},
};

const SERVICES: u32 = 1_000;
const SERVERS: u32 = 100;

const MEMORY: Target = Target::AtMost(60.0);
const CPU: Target = Target::AtMost(0.2);

/// How long making the instance may take, and how long the agent then settles.
const TOO_LONG: Duration = Duration::from_secs(60);
const SETTLES: Duration = Duration::from_secs(5);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: an idle agent");
    // The agent is what makes the instance.
    let bed = Bed::bare(options, "agent")?;
    let Bed { modlb, namespace } = &bed;
    namespace.ip("link set eth0 up")?;
    namespace.ip("link set peer0 up")?;
    namespace.ip("address add 10.0.0.1/24 dev eth0")?;
    for server in 0..SERVERS {
        namespace.ip(&format!("neigh replace 10.0.0.{} lladdr 02:00:00:00:01:{server:02x} dev eth0", 11 + server))?;
    }
    let file = modlb.file("agent.toml", &configuration())?;
    let arguments = "--listen none --mode generic --max-servers 131072";
    let mut command = modlb.command(&format!("agent --config {} {arguments}", file.display()));
    let agent = Agent(command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()?);
    agent.wait_for(modlb)?;
    let idle = Duration::from_secs(if options.quick { 20 } else { 60 });
    let start = Instant::now();
    let before = agent.ticks()?;
    while start.elapsed() < idle {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(500));
    }
    // The kernel counts in hundredths of a second, whatever its own ticks are.
    let percent = (agent.ticks()? - before) / start.elapsed().as_secs_f64();
    let what = "`modlb agent` of 1,000 services of 100 servers, idle";
    Ok(vec![
        row(format!("{what}: resident memory"), "MiB", &[agent.resident()?]).with_target(MEMORY),
        row(format!("{what}: share of a CPU"), "%", &[percent]).with_target(CPU),
    ])
}

/// All services share their servers, whose MACs the agent looks after.
fn configuration() -> String {
    let mut text = "interfaces = [\"eth0\"]\n".to_owned();
    for service in 0..SERVICES {
        let [.., c, d] = service.to_be_bytes();
        // Writing to a string cannot fail.
        let _ = write!(text, "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{c}.{d}\"\n");
        text += "protocol = \"tcp\"\nport = 80\nserver = [";
        for server in 0..SERVERS {
            let _ = write!(text, "{{address=\"10.0.0.{}\"}},", 11 + server);
        }
        text += "]\n";
    }
    text
}

/// A running agent, killed on drop.
struct Agent(Child);

impl Agent {
    /// Waits until the instance is made and the agent has settled.
    fn wait_for(&self, modlb: &Modlb) -> Result<()> {
        let start = Instant::now();
        while modlb.run("status").is_err() {
            interrupt::check()?;
            if start.elapsed() > TOO_LONG {
                bail!("the agent makes no instance");
            }
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(SETTLES);
        Ok(())
    }

    /// The clock ticks that it has used.
    fn ticks(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |number: usize| fields.get(number).and_then(|field| field.parse::<f64>().ok());
        field(11).zip(field(12)).map(|(user, system)| user + system).context("the kernel reports no times")
    }

    /// Its resident memory in MiB.
    fn resident(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel reports no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
