//! `cargo xtask demo`: real HTTP through a real gateway, in network namespaces.

mod arithmetic;
mod interrupt;
mod stream;
mod table;
mod topology;

use std::{
    env,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    build,
    process::{as_root, is_root, run as run_process},
    setup::{self, Need},
};

use self::{
    stream::{Answer, Stream},
    topology::{CLIENTS, Family, SERVERS, Topology},
};

/// How long each part of the stream of requests lasts.
const PART: Duration = Duration::from_millis(1_500);

/// Shows the main job from end to end; an expectation that is not met is an error.
pub fn run(modlb: Option<PathBuf>) -> Result<()> {
    let modlb = match modlb {
        Some(path) => path,
        None => prepare()?,
    };
    if !is_root() {
        println!("The demonstration needs root for its network namespaces; sudo may ask for your password.");
        return run_process(as_root(env::current_exe()?)?.arg("demo").arg("--modlb").arg(modlb));
    }
    interrupt::install()?;
    let start = Instant::now();
    step("building a network: a client, a gateway, three servers with a web server each, one Ethernet segment");
    let topology = Topology::build(&modlb)?;
    let result = show(&topology);
    drop(topology);
    result?;
    println!("\nEverything was as expected ({:.0?}); nothing is left behind.", start.elapsed());
    Ok(())
}

fn prepare() -> Result<PathBuf> {
    setup::programs(&[Need::Demo])?;
    println!("building modlb …");
    build::run()
}

fn show(topology: &Topology) -> Result<()> {
    step("attaching modlb to the gateway's interface");
    topology.start()?;
    step("one request from each client: what the formula says, what `modlb explain` says, who answered");
    for family in Family::BOTH {
        table::check(topology, family)?;
    }
    step("a steady stream of requests, while one server is taken down and up again");
    stream_through_changes(topology)?;
    step("modlb status");
    println!("{}", topology.modlb(&["status"])?);
    step("modlb stats");
    println!("{}", topology.modlb(&["stats"])?);
    let stats = topology.modlb_json(&["stats", "--json"])?;
    ensure!(stats["outcomes"]["forwarded"]["packets"].as_u64() > Some(0), "nothing was counted as forwarded");
    ensure!(stats["outcomes"]["no_server"]["packets"] == 0, "packets were dropped for want of a server");
    step("detaching, and removing everything");
    topology.modlb(&["detach"])?;
    ensure!(!Path::new("/sys/fs/bpf/modlb/demo").exists(), "detach left something behind");
    Ok(())
}

fn step(what: &str) {
    println!("\n== {what}");
}

/// Nobody but the clients of the server that goes may notice.
fn stream_through_changes(topology: &Topology) -> Result<()> {
    let (downed, name) = (1, SERVERS[1]);
    let stream = Stream::start(topology);
    pause(PART)?;
    let down = change(topology, "down", downed)?;
    let expected = Expectations::ask(topology)?;
    pause(PART)?;
    let up = change(topology, "up", downed)?;
    pause(PART)?;
    let answers = stream.stop()?;

    let mut tally = Tally::default();
    for answer in &answers {
        let home = arithmetic::server(answer.client);
        let away = home == downed && down.1 <= answer.start && answer.end <= up.0;
        let in_between = home == downed && answer.overlaps(down, up);
        let wanted = if away { expected.of(answer)? } else { home };
        tally.add(answer, home, away, in_between, wanted, downed)?;
    }
    tally.report(name)
}

/// The time before and after a change.
type Span = (Instant, Instant);

fn change(topology: &Topology, verb: &str, server: usize) -> Result<Span> {
    let before = Instant::now();
    for family in Family::BOTH {
        let address = family.server(server).to_string();
        print!("{}", topology.modlb(&["server", verb, family.service(), &address])?);
    }
    Ok((before, Instant::now()))
}

fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What `modlb explain` says of each client while a server is down.
struct Expectations(Vec<(std::net::IpAddr, usize)>);

impl Expectations {
    fn ask(topology: &Topology) -> Result<Self> {
        let clients = Family::BOTH.into_iter().flat_map(|family| (0..CLIENTS).map(move |client| family.client(client)));
        clients.map(|client| Ok((client, topology.explained_server(client)?))).collect::<Result<_>>().map(Self)
    }

    fn of(&self, answer: &Answer) -> Result<usize> {
        let found = self.0.iter().find(|(client, _)| *client == answer.client);
        found.map(|(_, server)| *server).with_context(|| format!("{} was never explained", answer.client))
    }
}

/// What came of the stream.
#[derive(Default)]
struct Tally {
    stayed: usize,
    at_home: usize,
    elsewhere: usize,
    interrupted: usize,
}

impl Tally {
    /// Counts an answer, or says what is wrong with it.
    fn add(
        &mut self,
        answer: &Answer,
        home: usize,
        away: bool,
        in_between: bool,
        wanted: usize,
        downed: usize,
    ) -> Result<()> {
        let Answer { client, server, .. } = answer;
        match server {
            // While the change happens, a connection of this server's may begin with one server and end with another.
            None if in_between => self.interrupted += 1,
            Some(server) if in_between && (*server == home || home == downed) => self.at_home += 1,
            None => bail!("{client}: a request failed that should have been answered by {}", SERVERS[wanted]),
            Some(server) if *server != wanted => {
                bail!("{client}: {} answered instead of {}", SERVERS[*server], SERVERS[wanted]);
            }
            Some(_) if home != downed => self.stayed += 1,
            Some(_) if away => self.elsewhere += 1,
            Some(_) => self.at_home += 1,
        }
        Ok(())
    }

    fn report(&self, name: &str) -> Result<()> {
        let Self { stayed, at_home, elsewhere, interrupted } = self;
        println!("  {stayed:>6} requests of the other servers' clients: all answered, each by its own server");
        println!("  {at_home:>6} requests of {name}'s clients answered while it was up");
        println!("  {elsewhere:>6} requests of {name}'s clients answered by others while it was down");
        println!("  {interrupted:>6} requests of {name}'s clients met the change itself and failed");
        ensure!(*stayed > 0 && *at_home > 0 && *elsewhere > 0, "the stream did not run through all of it");
        Ok(())
    }
}
