//! `modlb serve`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{cli::Serve, observe::agent_view::Shared, output::print_text, serve::serve_with};

/// Answers until it is interrupted, which is a success.
pub async fn run(instance: &str, options: &Serve) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let address = options.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another address or port with --listen"))?;
    announce(listener.local_addr()?)?;
    let no_agent = Shared::default();
    tokio::select! {
        result = serve_with(listener, no_agent, instance, options.listener.clone()) => result,
        result = tokio::signal::ctrl_c() => Ok(result?),
        _ = terminate.recv() => Ok(()),
    }
}

fn announce(address: SocketAddr) -> Result<()> {
    Ok(print_text(&format!("the status page is at http://{address}/, metrics are at http://{address}/metrics"))?)
}
