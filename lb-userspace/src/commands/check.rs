//! `modlb check`.

use std::net::IpAddr;

use anyhow::{Result, bail};
use serde::Serialize;

use super::input::{self, InputError};
use crate::{
    cli::Check,
    config::model::{Config, count},
    datapath::{Datapath, InstanceOptions, Need, host_limits},
    decide::{
        config_digest,
        demand::{Failure, demand},
    },
    output::{Render, print},
};

/// The result of checking a configuration.
#[derive(Serialize)]
struct Verdict {
    ok: bool,
    digest: Option<String>,
    services: usize,
    servers: usize,
    errors: Vec<InputError>,
    room: Option<Room>,
    warnings: Vec<String>,
    #[serde(skip)]
    text: String,
}

/// The slots that a configuration needs, and those that there are.
#[derive(Serialize)]
struct Room {
    /// The instance that has room for them; `None`: a new one.
    instance: Option<String>,
    slots: u64,
    worst_failure: Option<WorstFailure>,
    capacity: u32,
}

/// The server whose failure needs most slots.
#[derive(Serialize)]
struct WorstFailure {
    server: IpAddr,
    services: usize,
    slots: u64,
}

impl Render for Verdict {
    fn render(&self) -> String {
        self.text.clone()
    }
}

pub fn run(instance: &str, options: &Check) -> Result<()> {
    let file = input::name(&options.file);
    match input::read(&options.file) {
        Ok(config) => good(instance, &config, options),
        Err(error) if options.format.json => {
            let errors = input::problems(&options.file, &error);
            let message = format!("{file}: {}", count(errors.len(), "error"));
            let (text, room, warnings) = (String::new(), None, Vec::new());
            print(&Verdict { ok: false, digest: None, services: 0, servers: 0, errors, room, warnings, text }, true)?;
            bail!(message)
        }
        Err(error) => Err(error),
    }
}

fn good(instance: &str, config: &Config, options: &Check) -> Result<()> {
    // Without root, or without an instance, a new one is what counts.
    let running = Datapath::open(instance).ok().map(|running| *running.capacities());
    let capacities = match running {
        Some(capacities) => capacities,
        None => InstanceOptions { need: Need::of(config), ..InstanceOptions::default() }.capacities(host_limits()?)?,
    };
    let mut warnings = config.warnings();
    warnings.extend(capacities.shortages(config));
    let demand = demand(config);
    let room = Room {
        instance: running.map(|_| instance.to_owned()),
        slots: demand.now.usual,
        worst_failure: demand.worst.map(|Failure { server, services, slots }| WorstFailure {
            server,
            services,
            slots: slots.usual,
        }),
        capacity: capacities.slots,
    };
    let text = format!("{}: good: {}\n{}", input::name(&options.file), config.summary(), room.text());
    let servers = config.services.iter().map(|service| service.listed().count()).sum();
    // Only in JSON, as building many slot tables takes time.
    let digest = options.format.json.then(|| config_digest::digest_of(config).to_string());
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let (services, errors, room) = (config.services.len(), Vec::new(), Some(room));
    Ok(print(&Verdict { ok: true, digest, services, servers, errors, room, warnings, text }, options.format.json)?)
}

impl Room {
    fn text(&self) -> String {
        let whose =
            self.instance.as_ref().map_or_else(|| "a new instance".to_owned(), |name| format!("instance {name}"));
        let worst = self.worst_failure.as_ref().map_or_else(String::new, |worst| {
            let services = count(worst.services, "service");
            format!(", {} if {} goes down in its {services}", worst.slots, worst.server)
        });
        format!("slots: {}{worst}; {whose} has room for {}", self.slots, self.capacity)
    }
}
