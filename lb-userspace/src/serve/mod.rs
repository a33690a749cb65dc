//! The listener: `/metrics` for Prometheus, the status page at `/`, and the page's figures at `/status.json`. It reads and
//! changes nothing.
//!
//! ```text
//! guard     who may ask what: the Host header, headers of answers     limit   connections, not too many and not idle
//! metrics   one reading → text for Prometheus          page      the last two readings → the page's figures
//! ```

mod guard;
mod limit;
mod metrics;
mod page;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    middleware,
    response::{Html, IntoResponse, Json, Response},
    routing::get,
};
use clap::Args;
use tokio::{net::TcpListener, sync::Mutex};

pub use self::metrics::DEFAULT_MAX_SERVERS;
use self::{guard::Guard, limit::Limited, metrics::Metrics};
use crate::observe::{
    Reading, Sampler,
    agent_view::{Shared, View},
};

/// Readings for the page are this far apart at least, however many people look at it.
const PAGE_INTERVAL: Duration = Duration::from_millis(800);

/// How the listener answers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listener")]
pub struct Options {
    /// With more servers than this, over all services, leave metrics of single servers out
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_SERVERS)]
    pub max_servers_in_metrics: usize,
    /// Answer by this name, too, beside addresses, localhost and this host's own name; may be given several times
    #[arg(long = "allow-host", value_name = "NAME")]
    pub hosts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_servers_in_metrics: DEFAULT_MAX_SERVERS, hosts: Vec::new() }
    }
}

/// What requests share.
struct Server {
    instance: String,
    shared: Shared,
    /// One reading at a time, whoever asks.
    readers: Mutex<Readers>,
}

struct Readers {
    sampler: Sampler,
    metrics: Metrics,
}

/// Answers requests until the future is dropped.
///
/// # Errors
///
/// The listener fails.
pub async fn serve(listener: TcpListener, shared: Shared, instance: &str) -> Result<()> {
    serve_with(listener, shared, instance, Options::default()).await
}

/// The same with options.
///
/// # Errors
///
/// The listener fails.
pub async fn serve_with(listener: TcpListener, shared: Shared, instance: &str, options: Options) -> Result<()> {
    let readers = Readers { sampler: Sampler::default(), metrics: Metrics::new(options.max_servers_in_metrics) };
    let server = Server { instance: instance.to_owned(), shared, readers: Mutex::new(readers) };
    let guard = Arc::new(Guard::new(options.hosts));
    let router = Router::new()
        .route("/", get(|| async { Html(page::HTML) }))
        .route("/status.json", get(status))
        .route("/metrics", get(scrape))
        .with_state(Arc::new(server))
        .layer(middleware::from_fn_with_state(guard, guard::check));
    axum::serve(Limited::new(listener), router).await.context("the listener failed")
}

impl Server {
    /// The agent's own state, as it is now.
    fn view(&self) -> View {
        // Nobody leaves a view half-written, so that of a panicked writer is as good as any.
        self.shared.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

async fn scrape(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let format = metrics::Format::wanted(headers.get(header::ACCEPT));
    let mut readers = server.readers.lock().await;
    let start = std::time::Instant::now();
    let reading = Reading::take(&server.instance).await;
    let text = readers.metrics.encode(&server.instance, reading, server.view(), start.elapsed(), format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}

async fn status(State(server): State<Arc<Server>>, RawQuery(query): RawQuery) -> Response {
    let mut readers = server.readers.lock().await;
    let sampler = &mut readers.sampler;
    if sampler.now().is_none_or(|reading| reading.at.elapsed() >= PAGE_INTERVAL) {
        sampler.take(Reading::take(&server.instance).await);
    }
    let view = server.view();
    Json(page::status(&server.instance, sampler, &view, &page::Query::parse(&query.unwrap_or_default())))
        .into_response()
}
