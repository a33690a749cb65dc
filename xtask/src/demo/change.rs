//! One server goes down and up again while all clients make requests: only its own clients may notice.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    arithmetic,
    family::{Family, SERVERS, all_clients},
    gateway::Gateway,
    step::pause,
    stream::{Answer, Span, Stream},
};

/// How long each part of the stream of requests lasts.
const PART: Duration = Duration::from_millis(1_500);

/// The server that goes down.
const DOWNED: usize = 1;

/// Takes the server down and up again, and checks every request made meanwhile.
pub fn check(gateway: &Gateway) -> Result<()> {
    let stream = Stream::start();
    pause(PART)?;
    let down = change(gateway, "down")?;
    let stand_ins = all_clients().map(|client| Ok((client, gateway.explain(client)?.server))).collect::<Result<_>>()?;
    pause(PART)?;
    let up = change(gateway, "up")?;
    pause(PART)?;
    let answers = stream.stop()?;

    let judge = Judge { down, up, stand_ins };
    let mut counts = Counts::default();
    for answer in &answers {
        judge.judge(answer, &mut counts)?;
    }
    counts.report()
}

/// Sets the server's state in both services, and returns how long that took.
fn change(gateway: &Gateway, verb: &str) -> Result<Span> {
    let before = Instant::now();
    for family in Family::BOTH {
        let address = family.server(DOWNED).to_string();
        println!("  modlb server {verb} {} {address}", family.service());
        gateway.modlb(&["server", verb, family.service(), &address])?;
    }
    Ok((before, Instant::now()))
}

/// Knows which server should have answered.
struct Judge {
    down: Span,
    up: Span,
    /// The server of each client while the server is down, by `modlb explain`.
    stand_ins: BTreeMap<IpAddr, usize>,
}

impl Judge {
    fn judge(&self, answer: &Answer, counts: &mut Counts) -> Result<()> {
        let home = arithmetic::server(answer.client);
        let stand_in = *self.stand_ins.get(&answer.client).context("a client was never explained")?;
        if home != DOWNED {
            ensure!(stand_in == home, "{}: explain moves a client whose server is up", answer.client);
            expect(answer, home)?;
            counts.others += 1;
        } else if answer.overlaps(self.down) || answer.overlaps(self.up) {
            // A connection breaks if its packets reach one server and then another.
            match answer.server {
                None => counts.interrupted += 1,
                Some(server) if server == home || server == stand_in => counts.at_the_change += 1,
                Some(server) => {
                    bail!("{}: {} answered, neither its server nor the stand-in", answer.client, SERVERS[server])
                }
            }
        } else if self.down.1 < answer.start && answer.end < self.up.0 {
            ensure!(stand_in != DOWNED, "{}: explain names a server that is down", answer.client);
            expect(answer, stand_in)?;
            counts.elsewhere[stand_in] += 1;
        } else {
            expect(answer, home)?;
            counts.at_home += 1;
        }
        Ok(())
    }
}

fn expect(answer: &Answer, wanted: usize) -> Result<()> {
    let (client, wanted_name) = (answer.client, SERVERS[wanted]);
    match answer.server {
        Some(server) if server == wanted => Ok(()),
        Some(server) => bail!("{client}: {} answered instead of {wanted_name}", SERVERS[server]),
        None => bail!("{client}: a request failed that {wanted_name} should have answered"),
    }
}

/// How the requests were answered.
#[derive(Default)]
struct Counts {
    others: usize,
    at_home: usize,
    elsewhere: [usize; SERVERS.len()],
    at_the_change: usize,
    interrupted: usize,
}

impl Counts {
    fn report(&self) -> Result<()> {
        let Self { others, at_home, elsewhere, at_the_change, interrupted } = self;
        let (name, moved) = (SERVERS[DOWNED], elsewhere.iter().sum::<usize>());
        println!("  {others:>6} requests of the other servers' clients: none failed, none moved");
        println!("  {at_home:>6} requests of {name}'s clients before and after: all answered by {name}");
        println!("  {moved:>6} requests of {name}'s clients while it was down: all answered by the others");
        for (server, count) in SERVERS.iter().zip(elsewhere).filter(|(_, count)| **count > 0) {
            println!("         {count:>6} by {server}");
        }
        println!("  {at_the_change:>6} requests of {name}'s clients in progress at the change: answered");
        println!("  {interrupted:>6} of {name}'s clients in progress at the change: broken, to be made again");
        ensure!(*others > 0 && *at_home > 0 && moved > 0, "there were no requests before, during or after the change");
        Ok(())
    }
}
