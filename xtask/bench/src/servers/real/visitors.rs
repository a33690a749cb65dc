//! Connections that come and go, as many as ever at any time, of exponentially distributed length.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

use super::{
    echo::PORT,
    site::{CLIENTS, Site},
};
use crate::{frame::SERVICE, keep::chance::Chance};

/// How often a connection sends, far more often than servers change.
const INTERVAL: Duration = Duration::from_millis(700);

/// A connection that gets no answer for this long is broken.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// At any time.
    pub count: usize,
    /// Their mean length in seconds.
    pub mean: f64,
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    begun: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
}

/// What became of connections, in percent of all.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// Those that broke.
    pub broken: f64,
    /// Those that could not be made.
    pub refused: f64,
}

/// Visitors at work.
pub struct Visitors {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Visitors {
    /// Starts them.
    pub fn start(site: &Site, load: Load) -> Result<Self> {
        let counts = Arc::<Counts>::default();
        let namespace = File::open(site.clients.path())?;
        let theirs = Arc::clone(&counts);
        let thread = thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, visit_all(theirs, load));
            Ok(())
        });
        Ok(Self { counts, thread: Some(thread) })
    }

    /// Ends them.
    pub fn finish(mut self) -> Result<Fate> {
        self.counts.stop.store(true, Relaxed);
        let thread = self.thread.take().context("they have ended")?;
        thread.join().map_err(|_| anyhow!("the clients panicked"))??;
        let begun = self.counts.begun.load(Relaxed) as f64;
        let percent = |count: &AtomicU64| 100.0 * count.load(Relaxed) as f64 / begun;
        Ok(Fate { broken: percent(&self.counts.broken), refused: percent(&self.counts.refused) })
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.counts.stop.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn visit_all(counts: Arc<Counts>, load: Load) {
    let visitors: Vec<_> = (0..load.count)
        .map(|number| {
            let counts = Arc::clone(&counts);
            tokio::task::spawn_local(async move { visit(number, &counts, load.mean).await })
        })
        .collect();
    for visitor in visitors {
        let _ = visitor.await;
    }
}

/// One connection after another.
async fn visit(number: usize, counts: &Counts, mean: f64) {
    let mut chance = Chance::new(number as u64);
    // Not all at the same moment.
    sleep(Duration::from_millis(chance.below(1_000))).await;
    while !counts.stop.load(Relaxed) {
        let end = Instant::now() + Duration::from_secs_f64(chance.exponential(mean));
        counts.begun.fetch_add(1, Relaxed);
        let Ok(Ok(stream)) = timeout(PATIENCE, connect(number)).await else {
            counts.refused.fetch_add(1, Relaxed);
            continue;
        };
        if talk(stream, end, counts).await.is_err() {
            counts.broken.fetch_add(1, Relaxed);
        }
    }
}

async fn connect(number: usize) -> io::Result<TcpStream> {
    let client = (number / 2 % CLIENTS as usize) as u16 + 100;
    let (socket, own, service): (_, IpAddr, IpAddr) = if number.is_multiple_of(2) {
        (TcpSocket::new_v4()?, Ipv4Addr::new(10, 1, 0, client as u8).into(), SERVICE.0.into())
    } else {
        (TcpSocket::new_v6()?, Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, client).into(), SERVICE.1.into())
    };
    socket.bind(SocketAddr::new(own, 0))?;
    // It ends with a reset, so that a port that is used again meets nothing of the connection before.
    socket.set_zero_linger()?;
    socket.connect(SocketAddr::new(service, PORT)).await
}

/// Asks again and again until it is time to go.
async fn talk(mut stream: TcpStream, end: Instant, counts: &Counts) -> io::Result<()> {
    let mut byte = [0];
    while !counts.stop.load(Relaxed) {
        stream.write_all(b"?").await?;
        timeout(PATIENCE, stream.read_exact(&mut byte)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let now = Instant::now();
        if now >= end {
            break;
        }
        sleep(INTERVAL.min(end - now)).await;
    }
    Ok(())
}
