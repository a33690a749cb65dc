//! `modlb agent`.

use anyhow::Result;

use crate::{
    agent::{self, Options},
    cli::{Agent, Listen},
    datapath::InstanceOptions,
};

pub async fn run(instance: &str, options: Agent) -> Result<()> {
    let Agent { config, listen, mode, clsact, standby, capacity, serve } = options;
    let wanted = InstanceOptions {
        services: capacity.max_services,
        slots: capacity.max_slots,
        servers: capacity.max_servers,
        role: None,
    };
    let listen = match listen {
        Listen::At(address) => Some(address),
        Listen::Nowhere => None,
    };
    agent::run(instance, Options { config, listen, mode: mode.program_mode(clsact), standby, wanted, serve }).await
}
