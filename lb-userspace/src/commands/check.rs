//! `modlb check`.

use anyhow::{Result, bail};
use serde::Serialize;

use super::input;
use crate::{
    cli::Check,
    config::model::count,
    decide::config_digest,
    output::{Render, print},
};

/// The result of checking a configuration.
#[derive(Serialize)]
struct Verdict {
    ok: bool,
    digest: Option<String>,
    services: usize,
    servers: usize,
    errors: Vec<String>,
    #[serde(skip)]
    text: String,
}

impl Render for Verdict {
    fn render(&self) -> String {
        self.text.clone()
    }
}

pub fn run(options: &Check) -> Result<()> {
    let file = options.file.display();
    match input::read(&options.file) {
        Ok(config) => {
            let (services, servers) =
                (config.services.len(), config.services.iter().map(|service| service.servers.len()).sum());
            let text = format!("{file}: good: {}", config.summary());
            // Only in JSON, as building many slot tables takes time.
            let digest = options.format.json.then(|| config_digest::digest_of(&config).to_string());
            Ok(print(&Verdict { ok: true, digest, services, servers, errors: Vec::new(), text }, options.format.json)?)
        }
        Err(error) if options.format.json => {
            let errors = input::problems(&error);
            let message = format!("{file}: {}", count(errors.len(), "error"));
            print(&Verdict { ok: false, digest: None, services: 0, servers: 0, errors, text: String::new() }, true)?;
            bail!(message)
        }
        Err(error) => Err(error),
    }
}
