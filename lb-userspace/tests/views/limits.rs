//! Clients that hold connections keep nobody away from `/metrics`.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

use crate::{
    listener::Listener,
    need_root, services,
    support::{bench::Bench, wait::wait},
};

/// More than the listener has places for, from one address.
const MANY: usize = 300;

/// Set when it is dropped, also by a panic.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// They send a byte now and then, connect again when they are sent away, and the page is there all the time.
#[test]
fn slow_clients_keep_nobody_away() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    let (address, end) = (listener.address().to_owned(), AtomicBool::new(false));
    thread::scope(|scope| {
        let _end = OnDrop(&end);
        scope.spawn(|| {
            bench.gateway.within(|| {
                let mut held: Vec<_> = (0..MANY).map(|_| TcpStream::connect(&address).unwrap()).collect();
                while !end.load(Ordering::Relaxed) {
                    for stream in &mut held {
                        if stream.write_all(b"G").is_err() {
                            *stream = TcpStream::connect(&address).unwrap();
                        }
                    }
                    thread::sleep(Duration::from_millis(300));
                }
            });
        });
        for _ in 0..5 {
            thread::sleep(Duration::from_secs(1));
            let answer = listener.ask("--max-time 30", "/metrics");
            assert_eq!(answer.status, "200 OK");
        }
    });
    listener.end(Signal::SIGTERM);
}

/// A client that takes nothing of the metrics of a large instance: others are answered, and in the end neither the
/// process nor the kernel keeps anything for it, though it stays.
#[test]
fn a_client_that_does_not_read_is_given_up() {
    need_root!();
    let mut text = services();
    for number in 0..200 {
        text += &format!("[[service]]\nname = \"s{number}\"\naddress = \"198.51.100.{number}\"\n");
        for server in 0..100 {
            text += &format!(
                "[[service.server]]\naddress = \"10.0.0.{}\"\nmac = \"02:00:00:00:03:{server:02x}\"\n",
                20 + server
            );
        }
    }
    let bench = Bench::with("--mode generic --max-services 256 --max-slots 2000000 --max-servers 32768", &text);
    let listener = Listener::new(&bench, "--max-servers-in-metrics 100000");
    bench.gateway.within(|| {
        let to: SocketAddr = listener.address().parse().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(&to.into()).unwrap();
        let own = socket.local_addr().unwrap().as_socket().unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // What the listener's end of it has not sent.
        let unsent = || {
            let shown = bench.gateway.run("ss", &format!("--no-header --tcp --numeric src {to} dst {own}"));
            shown.split_whitespace().nth(2).map(|bytes| bytes.parse::<u64>().unwrap())
        };
        wait(|| unsent().is_some_and(|bytes| bytes > 0), || format!("{:?}", unsent()));
        let gone = || {
            let answer = listener.ask("--max-time 30", "/metrics");
            assert!(
                answer.status == "200 OK" && answer.body.len() > 5_000_000,
                "{}: {}",
                answer.status,
                answer.body.len()
            );
            unsent().is_none()
        };
        wait(gone, || format!("{:?}", unsent()));
    });
    listener.end(Signal::SIGTERM);
}

/// A header that does not end is not waited for, though its bytes come.
#[test]
fn a_header_has_a_limited_time() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    bench.gateway.within(|| {
        let mut stream = TcpStream::connect(listener.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let is_closed = || {
            let sent = (&stream).write_all(b"x");
            sent.is_err() || matches!((&stream).read(&mut [0; 1_024]), Ok(0))
        };
        wait(is_closed, || "it is still open".to_owned());
    });
}

/// A connection that is used all the time is closed as well, but not within an answer.
#[test]
fn a_busy_connection_ends_between_two_answers() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    bench.gateway.within(|| {
        let mut stream = TcpStream::connect(listener.address()).unwrap();
        for _ in 0..50 {
            stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 404");
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            // The rest of the answer.
            while matches!(stream.read(&mut [0; 4_096]), Ok(read) if read == 4_096) {}
            stream.set_read_timeout(None).unwrap();
        }
    });
    listener.end(Signal::SIGINT);
}
