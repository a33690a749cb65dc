//! `modlb agent`.

use anyhow::{Result, bail};

use crate::{
    agent::{self, Options},
    cli::{Agent, Listen},
    datapath::InstanceOptions,
};

pub async fn run(instance: &str, options: Agent) -> Result<()> {
    let Agent { config, listen, mode, clsact, standby, capacity, serve, log: _ } = options;
    let wanted = InstanceOptions {
        services: capacity.max_services,
        slots: capacity.max_slots,
        servers: capacity.max_servers,
        ..InstanceOptions::default()
    };
    let listen = match listen {
        Listen::At(endpoint) => Some(endpoint),
        Listen::Nowhere if serve.protects() => {
            bail!("--tls-cert and --token-file mean nothing with --listen none")
        }
        Listen::Nowhere => None,
    };
    agent::run(instance, Options { config, listen, mode: mode.program_mode(clsact), standby, wanted, serve }).await
}
