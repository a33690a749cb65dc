//! `modlb serve`.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::Serve,
    logging,
    observe::agent_view::Shared,
    output::print_text,
    serve::{Endpoint, Listener},
};

/// Answers until it is interrupted, which is a success.
pub async fn run(instance: &str, options: &Serve) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = Listener::bind(&options.listen, options.listener.clone())?;
    announce(&options.listen, &listener.url())?;
    let no_agent = Shared::default();
    let end = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = logging::count_repeats() => {}
        }
    };
    listener.serve(no_agent, instance, end).await
}

fn announce(endpoint: &Endpoint, url: &str) -> Result<()> {
    let text = match endpoint {
        Endpoint::At(_) => format!("the status page is at {url}/, metrics are at {url}/metrics"),
        Endpoint::Unix(path) => {
            format!("listening on {url}; for example: curl --unix-socket {} http://localhost/metrics", path.display())
        }
    };
    Ok(print_text(&text)?)
}
