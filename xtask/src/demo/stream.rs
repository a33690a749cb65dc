//! A steady stream of HTTP requests from all clients at once, each over its own connection.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::{
    client::{connect, enter},
    family::{Family, PORT, SERVERS, all_clients},
};

/// After this long a request has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client rests between two requests.
const REST: Duration = Duration::from_millis(10);

/// A span of time, from and to.
pub type Span = (Instant, Instant);

/// The result of a request.
pub struct Answer {
    /// The client.
    pub client: IpAddr,
    /// When it began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
    /// The server that answered; `None` if it failed.
    pub server: Option<usize>,
}

impl Answer {
    /// Whether it overlaps or touches this span.
    pub fn overlaps(&self, (from, to): Span) -> bool {
        self.start <= to && from <= self.end
    }
}

/// All clients, making requests.
pub struct Stream {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<io::Result<Vec<Answer>>>>,
}

impl Stream {
    /// Starts all clients.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = all_clients().map(|client| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || ask_on(client, &stop))
        });
        let clients = clients.collect();
        Self { stop, clients }
    }

    /// Lets every client finish, and returns the results.
    pub fn stop(mut self) -> Result<Vec<Answer>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for client in self.clients.drain(..) {
            answers.extend(client.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(answers)
    }
}

/// Trap: the network must not be removed while clients make requests.
impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

fn ask_on(client: IpAddr, stop: &AtomicBool) -> io::Result<Vec<Answer>> {
    enter()?;
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let server = ask(client).ok();
        answers.push(Answer { client, start, end: Instant::now(), server });
        thread::sleep(REST);
    }
    Ok(answers)
}

fn ask(client: IpAddr) -> io::Result<usize> {
    let service = SocketAddr::new(Family::of(client).service_address(), PORT);
    let mut stream = connect(client, service, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim();
    SERVERS
        .iter()
        .position(|server| *server == body)
        .ok_or_else(|| io::Error::other(format!("unexpected answer {answer:?}")))
}
