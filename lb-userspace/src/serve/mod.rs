//! The listener: `/metrics` for Prometheus, the status page at `/`, and the page's figures at `/status.json`. It
//! changes nothing.
//!
//! ```text
//! endpoint     an address, or a Unix socket                  connections   accepts them, speaks HTTP, within limits
//! places       each source's share of the connections        tls, token    from files, read again when they change
//! http_guard   checks the Host header, sets security headers
//! metrics      one reading → text for Prometheus             page          the last two readings → the page's figures
//! ```

mod connections;
mod endpoint;
mod files;
mod http_guard;
mod metrics;
mod page;
mod places;
mod tls;
mod token;

use std::{
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Json, Response},
    routing::get,
};
use clap::Args;
use rustls::ServerConfig;
use tokio::sync::{Mutex, oneshot};
use tower_http::timeout::TimeoutLayer;

use self::{
    connections::Limits, endpoint::Bound, files::FromFiles, http_guard::HttpGuard, metrics::Metrics, token::Token,
};
pub use self::{
    endpoint::{Endpoint, ParseEndpointError},
    metrics::DEFAULT_MAX_SERVERS,
};
use crate::{
    config::model::Role,
    observe::{
        Reading, Sampler,
        agent_view::{self, Level, Shared, View},
        connections::{Counted, Held},
    },
};

/// How long an answer may take, most of which is waiting for others.
const ANSWER: Duration = Duration::from_secs(30);

/// How often the files of certificate, key and token are looked at.
const FILES_INTERVAL: Duration = Duration::from_secs(2);

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
    /// Speak HTTPS with this certificate, which its issuers may follow, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Answer only requests with the token in this file, as a bearer token or as the password of any user; read again
    /// when it changes
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_servers_in_metrics: DEFAULT_MAX_SERVERS,
            hosts: Vec::new(),
            tls_cert: None,
            tls_key: None,
            token_file: None,
        }
    }
}

impl Options {
    /// Whether requests are encrypted, or need a token.
    pub const fn protects(&self) -> bool {
        self.tls_cert.is_some() || self.token_file.is_some()
    }
}

/// A listener whose options are checked, whose files are read and whose socket is open.
pub struct Listener {
    bound: Bound,
    endpoint: Endpoint,
    options: Options,
    tls: Option<Arc<FromFiles<ServerConfig>>>,
    token: Option<Arc<FromFiles<Token>>>,
}

/// A listener that answers in a thread of its own. Dropping it ends it; answers that are being sent are given a moment.
pub struct Running {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
    connections: Counted,
    /// The last scrape: its start, its format and its text.
    scraped: Option<(Instant, metrics::Format, Bytes)>,
}

impl Listener {
    /// Reads the files and opens the socket.
    ///
    /// # Errors
    ///
    /// The address is in use, the socket cannot be made, or a file is not what it should be.
    pub fn bind(endpoint: &Endpoint, options: Options) -> Result<Self> {
        let Options { tls_cert, tls_key, token_file, .. } = &options;
        if let (Endpoint::Unix(_), Some(_)) = (endpoint, tls_cert) {
            bail!("--tls-cert means nothing with --listen {endpoint}, which never leaves this host");
        }
        let tls = match (tls_cert, tls_key) {
            (Some(certificate), Some(key)) => {
                Some(Arc::new(FromFiles::new(vec![certificate.clone(), key.clone()], tls::read)?))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => bail!("--tls-cert and --tls-key belong together"),
        };
        let token = match token_file {
            Some(file) => Some(Arc::new(FromFiles::new(vec![file.clone()], Token::read)?)),
            None => None,
        };
        let bound = endpoint.bind()?;
        let endpoint = bound.endpoint()?;
        if let Endpoint::At(address) = &endpoint
            && token.is_some()
            && tls.is_none()
            && !address.ip().is_loopback()
        {
            log::warn!("the token travels unencrypted to {address}; use --tls-cert and --tls-key");
        }
        Ok(Self { bound, endpoint, options, tls, token })
    }

    /// Where it listens: `http://127.0.0.1:9652`, `https://[::1]:9652` or `unix:/run/modlb/default.sock`.
    pub fn url(&self) -> String {
        match &self.endpoint {
            Endpoint::At(address) if self.tls.is_some() => format!("https://{address}"),
            Endpoint::At(address) => format!("http://{address}"),
            unix @ Endpoint::Unix(_) => unix.to_string(),
        }
    }

    /// Answers requests until `end` is done.
    ///
    /// # Errors
    ///
    /// The listener fails.
    pub async fn serve(self, shared: Shared, instance: &str, end: impl Future<Output = ()>) -> Result<()> {
        let Self { bound, options, tls, token, .. } = self;
        let readers = Readers {
            sampler: Sampler::default(),
            metrics: Metrics::new(options.max_servers_in_metrics),
            connections: Counted::default(),
            scraped: None,
        };
        let server = Server { instance: instance.to_owned(), shared, readers: Mutex::new(readers) };
        let mut router = Router::new()
            .route("/", get(|| async { Html(page::HTML) }))
            .route("/status.json", get(status))
            .route("/metrics", get(scrape))
            .with_state(Arc::new(server))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER));
        if let Some(token) = &token {
            router = router.layer(middleware::from_fn_with_state(Arc::clone(token), token::check));
        }
        let guard = Arc::new(HttpGuard::new(options.hosts));
        let router = router.layer(middleware::from_fn_with_state(guard, http_guard::check));
        let answers = connections::answer(bound, router, tls.clone(), Limits::USUAL, end);
        tokio::select! {
            result = answers => result.context("the listener failed"),
            () = follow(tls, token) => Ok(()),
        }
    }

    /// Answers in a thread of its own, so that no scrape delays its caller. If it fails, it says so.
    ///
    /// # Errors
    ///
    /// The system refuses a thread or an event queue.
    pub fn start(self, shared: Shared, instance: &str) -> Result<Running> {
        let (end, ended) = oneshot::channel();
        let instance = instance.to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            let end = async { drop(ended.await) };
            if let Err(error) = runtime.block_on(self.serve(Arc::clone(&shared), &instance, end)) {
                agent_view::note(&shared, Level::Error, format!("{error:#}"));
            }
        };
        let thread = std::thread::Builder::new().name("listener".to_owned()).spawn(run)?;
        Ok(Running { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads certificate, key and token again when they change.
async fn follow(tls: Option<Arc<FromFiles<ServerConfig>>>, token: Option<Arc<FromFiles<Token>>>) {
    if tls.is_none() && token.is_none() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(FILES_INTERVAL).await;
        report("certificate", tls.as_ref().map_or(Ok(false), |tls| tls.refresh()));
        report("token", token.as_ref().map_or(Ok(false), |token| token.refresh()));
    }
}

fn report(what: &str, refreshed: Result<bool>) {
    match refreshed {
        Ok(true) => log::info!("the listener's {what} was read again"),
        Ok(false) => {}
        Err(error) => log::error!("the listener keeps its {what}: {error:#}"),
    }
}

impl Server {
    /// The agent's own state, as it is now.
    fn view(&self) -> View {
        // Writers leave no view half-written, so even a panicked writer's is valid.
        self.shared.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Whether hosts with this role look for connections among their sockets.
fn holds_connections(role: &str) -> bool {
    [Role::Keep, Role::Member].iter().any(|known| known.name() == role)
}

async fn scrape(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let format = metrics::Format::negotiate(headers.get(header::ACCEPT));
    let asked = Instant::now();
    let mut readers = server.readers.lock().await;
    // Of many requests that wait at the same time, one reads for all.
    let text = match &readers.scraped {
        Some((start, same, text)) if *start >= asked && *same == format => text.clone(),
        Some(_) | None => {
            let start = Instant::now();
            let reading = Reading::take(&server.instance).await;
            let keeps = reading.as_ref().is_ok_and(|reading| holds_connections(&reading.status.role));
            let held = if keeps { readers.connections.get(&server.instance).await } else { Held::default() };
            readers.metrics.set_connections(held);
            let text = readers.metrics.encode(&server.instance, reading, server.view(), start.elapsed(), format);
            let text = Bytes::from(text);
            readers.scraped = Some((start, format, text.clone()));
            text
        }
    };
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
