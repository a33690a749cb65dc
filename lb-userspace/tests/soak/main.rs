//! Random events on two balancers that are servers of the services that they balance, and what must hold meanwhile:
//! no frame is forwarded twice or to a MAC that is no server's, no service is without traffic while a server of it can
//! be reached, and no command fails.
//!
//! Beside it, an agent whose file is replaced in every way.
//!
//! `cargo xtask test --soak MINUTES` runs both; `MODLB_SOAK_SEED` repeats the events of a run, though not their
//! moments.

#[path = "../support/mod.rs"]
mod support;

#[path = "../oracle/random.rs"]
#[allow(dead_code, reason = "the oracle uses more of it")]
mod random;

mod events;
mod files;
mod model;
mod starvation;
mod traffic;
mod violations;
mod wire;
mod world;

use std::{
    env,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use random::Random;

use self::{events::Events, model::Model, starvation::Unstarved, violations::Violations, world::World};

/// Between two looks at what must hold.
const LOOK: Duration = Duration::from_millis(100);

/// The longest time between two events, in milliseconds.
const PAUSE: usize = 1_200;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_loops_or_is_lost_under_random_events() {
    need_root!();
    let Some(minutes) = number("MODLB_SOAK_MINUTES") else {
        eprintln!("SKIPPED: `cargo xtask test --soak MINUTES` runs it");
        return;
    };
    let seed = number("MODLB_SOAK_SEED").unwrap_or(1);
    eprintln!("seed {seed}");
    let violations = Violations::default();
    let mut world = World::new();
    let model = Arc::new(Mutex::new(Model::new()));
    let traffic = traffic::start(&world);
    let wire = wire::watch(&world, &model, &violations);
    world.agents.iter().for_each(world::Agent::wait_until_ready);
    let mut events = Events::new(&mut world, Arc::clone(&model), violations.clone());
    let mut random = Random::new(seed);
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut next = Instant::now() + Duration::from_secs(3);
    let mut unstarved = Unstarved::new();
    while Instant::now() < end {
        unstarved.look();
        if let Some(silent) = model.lock().unwrap().silent(&traffic, &unstarved) {
            violations.add(silent);
        }
        if let Some(first) = violations.first() {
            panic!("seed {seed}: {first}\nlast events:\n{}\n{}", events.last().join("\n"), events.logs());
        }
        if Instant::now() >= next {
            events.one(&mut random);
            next = Instant::now() + Duration::from_millis(100 + random.below(PAUSE) as u64);
        }
        thread::sleep(LOOK);
    }
    let (sent, forwarded) = (traffic.sent(), wire.forwarded());
    eprintln!("{} events, {sent} datagrams sent, {forwarded} forwarded, no violation", events.count());
    assert!(forwarded > 0, "nothing was forwarded");
}
