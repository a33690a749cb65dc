//! Limits the number of connections, and closes idle ones.
//!
//! Trap: the listener shares its process with the agent, whose health checks need file descriptors. Clients that hold
//! connections open must neither exhaust those nor keep other clients out for long.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// Maximum number of connections; more wait until one ends.
const MOST: usize = 128;

/// A connection idle for this long is closed. Browsers and Prometheus ask more often, or reconnect.
const IDLE: Duration = Duration::from_secs(30);

/// A listener with a limited number of connections.
pub struct Limited {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    idle: Duration,
}

/// A connection that ends when it is idle.
pub struct Connection {
    stream: TcpStream,
    idle: Duration,
    end: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Limited {
    /// With the usual limits.
    pub fn new(listener: TcpListener) -> Self {
        Self::with(listener, MOST, IDLE)
    }

    fn with(listener: TcpListener, most: usize, idle: Duration) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(most)), idle }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        // axum's own accept waits when descriptors have run out.
        let (stream, from) = Listener::accept(&mut self.listener).await;
        let (idle, end) = (self.idle, Box::pin(sleep(self.idle)));
        (Connection { stream, idle, end, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connection {
    /// Passes on the result of moving bytes, or a timeout if none moved for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            let end = Instant::now() + self.idle;
            self.end.as_mut().reset(end);
            return moved;
        }
        self.end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, moved)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv6Addr, TcpStream},
        thread,
    };

    use axum::{Router, routing::get};

    use super::*;

    /// With one connection at a time: an idle one is closed, and the next is served.
    #[tokio::test]
    async fn idle_connections_make_room() {
        const SHORT: Duration = Duration::from_millis(300);
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "answer" }));
        let clients = tokio::task::spawn_blocking(move || {
            let mut idle = TcpStream::connect(address).unwrap();
            idle.write_all(b"GET / HT").unwrap();
            thread::sleep(SHORT / 3);
            let start = std::time::Instant::now();
            let mut next = TcpStream::connect(address).unwrap();
            next.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            next.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("answer"), "{answer}");
            assert!(start.elapsed() > SHORT / 3, "it did not wait for the first");
            assert!(idle.read(&mut [0]).is_ok_and(|read| read == 0) || idle.write_all(b"x").is_err());
        });
        tokio::select! {
            result = axum::serve(Limited::with(listener, 1, SHORT), router) => panic!("{result:?}"),
            result = clients => result.unwrap(),
        }
    }
}
