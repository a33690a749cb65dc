//! The listener: `/metrics` for Prometheus, the status page at `/`, and the page's figures at `/status.json`. It
//! changes nothing.
//!
//! ```text
//! http_guard   checks the Host header, sets security headers     limit   limits connections and idle time
//! metrics      one reading → text for Prometheus                 page    the last two readings → the page's figures
//! ```

mod http_guard;
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
use self::{http_guard::HttpGuard, limit::Limited, metrics::Metrics};
use crate::observe::{
    Reading, Sampler,
    agent_view::{Shared, View},
};

/// The minimum time between two readings for the page, however many viewers it has.
const PAGE_INTERVAL: Duration = Duration::from_millis(800);

/// Options of the listener.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listener")]
pub struct Options {
    /// Leave out metrics of single servers if there are more than N over all services
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_SERVERS)]
    pub max_servers_in_metrics: usize,
    /// Also accept requests to this host name, besides addresses, localhost and this host's own name; may be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    pub hosts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_servers_in_metrics: DEFAULT_MAX_SERVERS, hosts: Vec::new() }
    }
}

/// State shared by requests.
struct Server {
    instance: String,
    shared: Shared,
    /// Only one reading at a time.
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
    let guard = Arc::new(HttpGuard::new(options.hosts));
    let router = Router::new()
        .route("/", get(|| async { Html(page::HTML) }))
        .route("/status.json", get(status))
        .route("/metrics", get(scrape))
        .with_state(Arc::new(server))
        .layer(middleware::from_fn_with_state(guard, http_guard::check));
    axum::serve(Limited::new(listener), router).await.context("the listener failed")
}

impl Server {
    /// The agent's own state, as it is now.
    fn view(&self) -> View {
        // Writers leave no view half-written, so even a panicked writer's is valid.
        self.shared.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

async fn scrape(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let format = metrics::Format::negotiate(headers.get(header::ACCEPT));
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
    Json(page::status(&server.instance, sampler, &view, &page::PageQuery::parse(&query.unwrap_or_default())))
        .into_response()
}
