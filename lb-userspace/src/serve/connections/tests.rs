use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    thread::{self, sleep},
};

use axum::{body::Bytes, routing::get};
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Far more than sockets take.
const LARGE: usize = 64 << 20;

const SHORT: Limits = Limits {
    header: Duration::from_millis(500),
    lifetime: Duration::from_secs(1),
    last_answer: Duration::from_secs(1),
    unread: Duration::from_secs(1),
    end: Duration::from_millis(500),
};

/// A listener; it ends when the sender is dropped.
fn listen(own: IpAddr, limits: Limits) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = std::net::TcpListener::bind((own, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let large = Bytes::from(vec![b'x'; LARGE]);
    let router = Router::new().route("/large", get(async move || large)).route("/", get(async || "here"));
    let (end, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let end = async { drop(ended.await) };
        runtime.block_on(answer(Bound::Tcp(listener), router, None, limits, end)).unwrap();
    });
    (address, end)
}

/// Asks for the large answer, with hardly any room for it.
fn ask_for_much(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

/// Another client is answered.
fn is_answered(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("here"), "{text}");
}

/// How many of the listener's connections the kernel keeps, whether or not a process has them open. Those in
/// TIME_WAIT have nothing to send.
fn kept(address: SocketAddr) -> usize {
    let file = if address.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let text = std::fs::read_to_string(file).unwrap();
    let own = format!(":{:04X}", address.port());
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[1].ends_with(&own) && !["06", "0A"].contains(&fields[3])).count()
}

/// Clients hold them open all the time.
#[test]
fn clients_that_never_read_are_given_up_and_keep_nobody_waiting() {
    for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (address, _end) = listen(own, SHORT);
        let mut held = Vec::new();
        // More than one source may have: some are given up for others.
        for _ in 0..SHARE + 10 {
            held.push(ask_for_much(address));
            is_answered(address);
        }
        assert!(kept(address) > 0);
        let start = Instant::now();
        while kept(address) > 0 {
            assert!(start.elapsed() < PATIENCE, "{} connections of {address}", kept(address));
            is_answered(address);
            sleep(Duration::from_millis(50));
        }
        drop(held);
    }
}

/// One that reads a little now and then has no more time than the lifetime and that of the last answer.
#[test]
fn a_client_that_reads_slowly_is_given_up() {
    let limits = Limits { unread: PATIENCE * 10, ..SHORT };
    for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (address, _end) = listen(own, limits);
        let mut stream = ask_for_much(address);
        let (start, mut read) = (Instant::now(), 0);
        while start.elapsed() < limits.lifetime + limits.last_answer * 2 {
            read += stream.read(&mut [0; 4_096]).unwrap_or_default();
            is_answered(address);
            sleep(Duration::from_millis(20));
        }
        // What was on its way is still there, and no more than that.
        while let Ok(more @ 1..) = stream.read(&mut vec![0; 1 << 20]) {
            read += more;
        }
        assert!(read < LARGE, "{read}");
    }
}
