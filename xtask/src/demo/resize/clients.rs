//! Downloads and keep-alive requests from all clients, to both services at once. What ends is begun again.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    super::{
        client::{connect, enter},
        family::{Family, PORT, all_clients},
        web::DOWNLOAD_BYTES,
    },
    lists::Side,
};

/// Connections of each kind that each client has to each service.
const EACH: usize = 4;

/// How long a client rests between two requests of one connection.
const REST: Duration = Duration::from_millis(150);

/// A connection that gets no answer for this long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a client that waits checks whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// What a connection is used for.
#[derive(Clone, Copy)]
enum Use {
    /// One long answer.
    Download,
    /// Many short ones.
    KeepAlive,
}

/// The connections to one service.
#[derive(Default)]
pub struct Counts {
    /// Those that were made.
    pub opened: AtomicUsize,
    /// Those that ended before their time.
    pub broken: AtomicUsize,
}

/// All clients at work.
pub struct Clients {
    stop: Arc<AtomicBool>,
    /// In the order of [`Side::BOTH`].
    counts: Arc<[Counts; 2]>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Clients {
    /// Starts all of them.
    pub fn start() -> Self {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(<[Counts; 2]>::default()));
        let mut threads = Vec::new();
        for (place, side) in Side::BOTH.into_iter().enumerate() {
            for (client, kind) in all_clients().flat_map(|client| [(client, Use::Download), (client, Use::KeepAlive)]) {
                for _ in 0..EACH {
                    let (stop, counts) = (Arc::clone(&stop), Arc::clone(&counts));
                    threads.push(thread::spawn(move || work(client, side, kind, &counts[place], &stop)));
                }
            }
        }
        Self { stop, counts, threads }
    }

    /// How many connections there are at any time to each service.
    pub const fn at_a_time(&self) -> usize {
        self.threads.len() / Side::BOTH.len()
    }

    /// How many connections were made, by service.
    pub fn opened(&self) -> [usize; 2] {
        self.counts.each_ref().map(|counts| counts.opened.load(Relaxed))
    }

    /// How many of them broke.
    pub fn broken(&self) -> [usize; 2] {
        self.counts.each_ref().map(|counts| counts.broken.load(Relaxed))
    }
}

/// Trap: the network must not be removed while clients run.
impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(client: IpAddr, side: Side, kind: Use, counts: &Counts, stop: &AtomicBool) -> io::Result<()> {
    enter()?;
    let service = SocketAddr::new(side.address(Family::of(client)), PORT);
    while !stop.load(Relaxed) {
        let Ok(stream) = connect(client, service, PATIENCE) else { continue };
        counts.opened.fetch_add(1, Relaxed);
        let ended = match kind {
            Use::Download => download(stream, stop),
            Use::KeepAlive => ask_again_and_again(stream, stop),
        };
        if ended.is_err() && !stop.load(Relaxed) {
            counts.broken.fetch_add(1, Relaxed);
        }
    }
    Ok(())
}

fn download(mut stream: TcpStream, stop: &AtomicBool) -> io::Result<()> {
    stream.write_all(b"GET /download HTTP/1.0\r\n\r\n")?;
    let mut received = 0;
    while let Some(bytes) = receive(&mut stream, stop)? {
        received += bytes.len();
    }
    if received < DOWNLOAD_BYTES { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn ask_again_and_again(mut stream: TcpStream, stop: &AtomicBool) -> io::Result<()> {
    while !stop.load(Relaxed) {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\n\r\n")?;
        let answer = receive(&mut stream, stop)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::ErrorKind::InvalidData.into());
        }
        thread::sleep(REST);
    }
    Ok(())
}

/// What arrives next; `None`: the server has closed the connection.
fn receive(stream: &mut TcpStream, stop: &AtomicBool) -> io::Result<Option<Vec<u8>>> {
    stream.set_read_timeout(Some(LOOK))?;
    let (start, mut buffer) = (Instant::now(), vec![0; 8_192]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(bytes) => {
                buffer.truncate(bytes);
                return Ok(Some(buffer));
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(error) if stop.load(Relaxed) || start.elapsed() > PATIENCE => return Err(error),
            Err(_) => {}
        }
    }
}
