//! Downloads from nginx that take seconds, and a visitor that keeps making new connections.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::super::{
    client::{self, in_client_namespace},
    family::{Family, PORT, all_clients},
    web::DOWNLOAD_BYTES,
};
use crate::interrupt;

/// Downloads of each client.
const EACH: usize = 9;

/// A download that receives nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a download checks whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// How long the visitor waits for a connection before it tries again.
const TRY: Duration = Duration::from_millis(25);

/// Downloads that are under way.
pub struct Downloads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Downloads {
    /// Starts all of them, and returns when all are connected.
    pub fn start() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let connected: io::Result<Vec<_>> = in_client_namespace(|| {
            let clients = all_clients().flat_map(|client| std::iter::repeat_n(client, EACH));
            clients.map(|client| connect(client, PATIENCE)).collect()
        })?;
        let threads = connected?
            .into_iter()
            .map(|stream| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || download(stream, &stop))
            })
            .collect();
        Ok(Self { stop, threads })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// How many have not ended, complete or broken.
    pub fn running(&self) -> usize {
        self.threads.iter().filter(|thread| !thread.is_finished()).count()
    }

    /// Waits until all have ended, and returns how many are complete.
    pub fn finish(mut self) -> Result<usize> {
        while self.running() > 0 {
            interrupt::check()?;
            thread::sleep(LOOK);
        }
        let mut complete = 0;
        for thread in self.threads.drain(..) {
            match thread.join().map_err(|_| anyhow!("a client panicked"))? {
                Ok(()) => complete += 1,
                Err(error) => println!("  broken: {error}"),
            }
        }
        Ok(complete)
    }
}

/// Trap: the network must not be removed while clients run.
impl Drop for Downloads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn connect(client: IpAddr, patience: Duration) -> io::Result<TcpStream> {
    client::connect(client, SocketAddr::new(Family::of(client).service_address(), PORT), patience)
}

fn download(mut stream: TcpStream, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK))?;
    stream.write_all(b"GET /download HTTP/1.0\r\n\r\n")?;
    let (mut received, mut last) = (Vec::new(), Instant::now());
    let mut buffer = [0; 8_192];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return judge(&received),
            Ok(bytes) => {
                received.extend(&buffer[..bytes]);
                last = Instant::now();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && last.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("stopped"))
}

fn judge(received: &[u8]) -> io::Result<()> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |start| start + 4);
    let body = received.len() - end;
    if received.starts_with(b"HTTP/1.1 200 ") && body == DOWNLOAD_BYTES {
        return Ok(());
    }
    Err(io::Error::other(format!("{body} bytes instead of {DOWNLOAD_BYTES}")))
}

/// Makes one new connection after another.
pub struct Visitor {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// When the last connection succeeded, and the longest time between two.
struct Seen {
    last: Instant,
    longest: Duration,
}

impl Visitor {
    /// Starts.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Seen { last: Instant::now(), longest: Duration::ZERO }));
        let (stopped, notes) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = thread::spawn(move || in_client_namespace(|| visit(&notes, &stopped)));
        Self { stop, seen, thread: Some(thread) }
    }

    /// The longest time without a new connection.
    pub fn longest(&self) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.longest.max(seen.last.elapsed())
    }

    /// Resets the measurement.
    pub fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).longest = Duration::ZERO;
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn visit(seen: &Mutex<Seen>, stop: &AtomicBool) {
    let clients: Vec<_> = Family::V4.clients().collect();
    for client in clients.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if connect(*client, TRY).is_ok() {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.longest = seen.longest.max(seen.last.elapsed());
            seen.last = Instant::now();
        }
        thread::sleep(Duration::from_millis(2));
    }
}
