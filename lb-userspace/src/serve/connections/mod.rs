//! Accepts connections and speaks HTTP/1.1 on them, by hyper.
//!
//! Trap: the listener shares its process with the agent, whose health checks need file descriptors. Clients may neither
//! exhaust those nor keep other clients away, however slowly they write or read.
//!
//! Trap: what was written to a connection that is closed stays in the kernel, up to some megabytes, for as long as the
//! client acknowledges that it has no room for it. Only TCP_USER_TIMEOUT ends that.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::watch,
    task::{JoinSet, yield_now},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    endpoint::{Bound, SocketFile},
    files::FromFiles,
    places::{Place, Places, Source},
};

/// The most connections in all, and of one source.
const MOST: usize = 256;
const SHARE: usize = 64;

/// What accepting waits for when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// A TLS handshake; the header of a request, from the end of the last one.
    pub header: Duration,
    /// A connection, after which no other request is taken on it.
    pub lifetime: Duration,
    /// The last answer, from then on.
    pub last_answer: Duration,
    /// A client that takes nothing of what is sent to it.
    pub unread: Duration,
    /// The answers that are being sent when the listener ends.
    pub end: Duration,
}

impl Limits {
    /// Browsers and Prometheus ask more often, or connect again.
    pub const USUAL: Self = Self {
        header: Duration::from_secs(10),
        lifetime: Duration::from_secs(60),
        last_answer: Duration::from_secs(60),
        unread: Duration::from_secs(20),
        end: Duration::from_millis(500),
    };
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "held until the listener ends")] SocketFile),
}

impl Listener {
    fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Bound::Unix(listener, file) => Self::Unix(UnixListener::from_std(listener)?, file),
        })
    }

    async fn accept(&self, limits: Limits) -> io::Result<(Box<dyn Stream>, Source)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                SockRef::from(&stream).set_tcp_user_timeout(Some(limits.unread))?;
                (Box::new(stream), from.into())
            }
            Self::Unix(listener, _) => (Box::new(listener.accept().await?.0), Source::Unix),
        })
    }
}

/// Answers until `end` is done, then finishes the answers that are being sent.
///
/// # Errors
///
/// The listener cannot be used.
pub(super) async fn answer(
    bound: Bound,
    router: Router,
    tls: Option<Arc<FromFiles<ServerConfig>>>,
    limits: Limits,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = Listener::new(bound)?;
    let places = Places::new(MOST, SHARE);
    let (ending, ended) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            accepted = listener.accept(limits) => match accepted {
                Ok((stream, source)) => {
                    // Where even those that are busy are too many, it is closed.
                    let Some(place) = places.enter(source) else { continue };
                    let connection = Connection { place, limits, ended: ended.clone() };
                    connections.spawn(connection.talk(stream, router.clone(), tls.as_ref().map(|tls| tls.get())));
                    // It may ask before the next one takes its place.
                    yield_now().await;
                }
                Err(error) => {
                    log::debug!("accepting a connection: {error}");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop((listener, ending));
    let _ = timeout(limits.end, connections.join_all()).await;
    Ok(())
}

struct Connection {
    place: Place,
    limits: Limits,
    /// Closed when the listener ends.
    ended: watch::Receiver<()>,
}

impl Connection {
    async fn talk(self, stream: Box<dyn Stream>, router: Router, tls: Option<Arc<ServerConfig>>) {
        let Limits { header, .. } = self.limits;
        match tls {
            None => self.serve(stream, router).await,
            Some(config) => {
                let handshake = timeout(header, TlsAcceptor::from(config).accept(stream));
                let stream = tokio::select! {
                    Ok(Ok(stream)) = handshake => stream,
                    () = self.place.lost() => return,
                    else => return,
                };
                self.serve(stream, router).await;
            }
        }
    }

    async fn serve(self, stream: impl Stream, router: Router) {
        let Self { place, limits, mut ended } = self;
        let place = &place;
        let router = TowerToHyperService::new(router);
        let service = service_fn(|request: Request<Incoming>| {
            place.set_busy(true);
            let answer = hyper::service::Service::call(&router, request);
            async move {
                let answer = answer.await;
                place.set_busy(false);
                answer
            }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.header);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let last_request = Instant::now() + limits.lifetime;
        tokio::select! {
            biased;
            _ = &mut connection => return,
            () = place.lost() => if !place.is_busy() { return },
            () = sleep_until(last_request) => {}
            _ = ended.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = timeout(limits.last_answer, connection) => {}
            () = place.lost() => {}
        }
    }
}

#[cfg(test)]
mod tests;
