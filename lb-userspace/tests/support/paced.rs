//! Downloads of any length, to show that an event breaks no connection in mid-transfer; and a probe that measures for
//! how long there was no service.
//!
//! Trap: a server's data goes to the client directly, so a download alone would hardly notice a dead balancer. So the
//! client acknowledges each piece with a byte, and the server waits for that byte before it sends the next piece.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{
    namespace::Namespace,
    network::SERVICES,
    wait::{PATIENCE, wait},
};

/// The port of downloads.
pub const PORT: u16 = 80;

/// The port on which datagrams are echoed.
pub const ECHO_PORT: u16 = 7;

/// Bytes in a piece of a download.
const PIECE: usize = 1_024;

/// How many more pieces a download receives after it is told to end.
const LAST_PIECES: u32 = 5;

/// Between two pieces.
const PACE: Duration = Duration::from_millis(100);

/// How often the probe asks.
const PROBE: Duration = Duration::from_millis(2);

/// How often servers check whether to stop.
const LOOK: Duration = Duration::from_millis(20);

/// A server of downloads and echoes in both families.
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts one whose data carries `number`.
    pub fn start(namespace: &Namespace, number: u8) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        // Trap: a datagram's answer comes from the service's address only if the socket is bound to it.
        for service in SERVICES {
            let (tcp, udp) = namespace.within(|| (listen(service), echo_socket(service)));
            let stopped = Arc::clone(&stop);
            threads.push(thread::spawn(move || accept(&tcp, number, &stopped)));
            let stopped = Arc::clone(&stop);
            threads.push(thread::spawn(move || echo(&udp, &stopped)));
        }
        Self { stop, threads }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn socket(service: IpAddr, kind: Type, port: u16) -> Socket {
    let address = SocketAddr::new(service, port);
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

fn listen(service: IpAddr) -> TcpListener {
    let socket = socket(service, Type::STREAM, PORT);
    socket.listen(1_024).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

fn echo_socket(service: IpAddr) -> UdpSocket {
    let socket = socket(service, Type::DGRAM, ECHO_PORT);
    socket.set_read_timeout(Some(LOOK)).unwrap();
    socket.into()
}

fn accept(listener: &TcpListener, number: u8, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            // Its own thread ends when the client goes away.
            Ok((stream, _)) => drop(thread::spawn(move || send(stream, number))),
            Err(_) => thread::sleep(LOOK),
        }
    }
}

fn send(mut stream: TcpStream, number: u8) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for piece in 0.. {
        stream.write_all(&content(number, piece))?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer == [ENOUGH] {
            break;
        }
        thread::sleep(PACE);
    }
    Ok(())
}

/// What a client answers to a piece.
const MORE: u8 = 0;
const ENOUGH: u8 = 1;

/// What a server sends: different for each server and each piece.
fn content(number: u8, piece: u32) -> [u8; PIECE] {
    let mut bytes = [number; PIECE];
    bytes[1..5].copy_from_slice(&piece.to_be_bytes());
    bytes
}

fn echo(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}

/// Downloads that are under way.
pub struct Downloads {
    threads: Vec<JoinHandle<io::Result<u8>>>,
    pieces: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
}

/// How the downloads ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Complete: every byte is right and from one server.
    pub complete: usize,
    /// The others, with the error that the client saw.
    pub broken: Vec<String>,
    /// How many downloads each server served.
    pub servers: Vec<usize>,
}

impl Downloads {
    /// Starts `each` from every client address, and returns when all of them have received something.
    pub fn start(namespace: &Namespace, clients: &[IpAddr], service: IpAddr, each: usize) -> Self {
        let (pieces, enough) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut threads = Vec::new();
        let mut downloads = namespace.within(|| {
            for client in clients.iter().flat_map(|client| std::iter::repeat_n(*client, each)) {
                let stream = connect(client, service).unwrap_or_else(|error| panic!("{client} → {service}: {error}"));
                let (pieces, enough) = (Arc::clone(&pieces), Arc::clone(&enough));
                threads.push(thread::spawn(move || download(stream, &pieces, &enough)));
            }
            Self { threads, pieces, enough }
        });
        let start = Instant::now();
        while downloads.pieces() < downloads.threads.len() as u64 {
            assert!(start.elapsed() < PATIENCE, "downloads do not start: {:?}", downloads.finish());
            thread::sleep(LOOK);
        }
        downloads
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// How many have not ended: before they are told to, only broken ones end.
    pub fn running(&self) -> usize {
        self.threads.iter().filter(|thread| !thread.is_finished()).count()
    }

    /// How many pieces all downloads have received together.
    pub fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Lets each receive a few more pieces, and waits until all have ended.
    pub fn finish(&mut self) -> Outcome {
        self.enough.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::default();
        for thread in self.threads.drain(..) {
            match thread.join().unwrap() {
                Ok(server) => {
                    outcome.complete += 1;
                    let server = usize::from(server);
                    outcome.servers.resize(outcome.servers.len().max(server + 1), 0);
                    outcome.servers[server] += 1;
                }
                Err(error) => outcome.broken.push(error.to_string()),
            }
        }
        outcome
    }
}

/// A connection from a port that the kernel chooses, in the current namespace.
fn connect(client: IpAddr, service: IpAddr) -> io::Result<TcpStream> {
    let to = SocketAddr::new(service, PORT);
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Returns the number of the server that sent it.
fn download(mut stream: TcpStream, pieces: &AtomicU64, enough: &AtomicBool) -> io::Result<u8> {
    let mut bytes = [0; PIECE];
    let (mut server, mut left) = (None, LAST_PIECES);
    for piece in 0.. {
        stream.read_exact(&mut bytes).map_err(|error| io::Error::other(format!("after {piece} pieces: {error}")))?;
        let number = *server.get_or_insert(bytes[0]);
        if bytes != content(number, piece) {
            return Err(io::Error::other(format!("piece {piece} is not from server {number}")));
        }
        pieces.fetch_add(1, Ordering::Relaxed);
        left -= u32::from(enough.load(Ordering::Relaxed));
        stream.write_all(&[if left > 0 { MORE } else { ENOUGH }])?;
        if left == 0 {
            break;
        }
    }
    // The server closes the connection now.
    if stream.read(&mut bytes)? != 0 {
        return Err(io::Error::other("data after the last piece"));
    }
    Ok(server.unwrap_or_default())
}

/// Sends to a service's echo again and again.
pub struct Probe {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    thread: JoinHandle<Duration>,
}

/// A probe with fewer answers has measured nothing.
const PROBE_ANSWERS: u64 = 50;

impl Probe {
    /// Starts asking from a client's address.
    pub fn start(namespace: &Namespace, client: IpAddr, service: IpAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let socket = namespace.within(|| UdpSocket::bind(SocketAddr::new(client, 0)).unwrap());
        socket.connect(SocketAddr::new(service, ECHO_PORT)).unwrap();
        socket.set_read_timeout(Some(PROBE)).unwrap();
        let answers = Arc::new(AtomicU64::new(0));
        let (stopped, answered) = (Arc::clone(&stop), Arc::clone(&answers));
        let thread = thread::spawn(move || longest_silence(&socket, &stopped, &answered));
        Self { stop, answers, thread }
    }

    /// The longest time without an answer. Waits until there have been answers.
    pub fn stop(self) -> Duration {
        let answers = || self.answers.load(Ordering::Relaxed);
        wait(|| answers() > PROBE_ANSWERS, || format!("the probe had {} answers", answers()));
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn longest_silence(socket: &UdpSocket, stop: &AtomicBool, answers: &AtomicU64) -> Duration {
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let _ = socket.send(b"?");
        if socket.recv(&mut [0; 8]).is_ok() {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            answers.fetch_add(1, Ordering::Relaxed);
            thread::sleep(PROBE);
        }
    }
    longest.max(last.elapsed())
}
