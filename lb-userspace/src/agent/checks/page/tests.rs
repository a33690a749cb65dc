use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    thread,
};

use super::*;
use crate::config::file;

fn check(more: &str) -> Check {
    let text = format!(
        "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\nprotocol = \"tcp\"\nport = 1\n[service.check]\n{more}"
    );
    file::parse(&text).unwrap().services.remove(0).check.unwrap()
}

/// Far longer than an answer takes.
async fn ask(check: &Check, server: SocketAddr) -> Result<(), Fault> {
    super::ask(check, server, Instant::now() + Duration::from_secs(60)).await.0
}

fn failed(failure: Failure) -> Result<(), Fault> {
    Err(Fault::Server(failure))
}

/// Answers one request, and returns it and what follows until the connection ends.
fn serve_at(address: IpAddr, answer: String) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 1_024];
        let length = stream.read(&mut request).unwrap();
        // The client may have seen enough before the end.
        let _ = stream.write_all(answer.as_bytes());
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, thread)
}

fn serve(answer: impl Into<String>) -> (SocketAddr, thread::JoinHandle<String>) {
    serve_at(Ipv4Addr::LOCALHOST.into(), answer.into())
}

#[tokio::test]
async fn the_status_counts() {
    for (answer, expected) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
        ("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", Ok(())),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", failed(Failure::Status(503))),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", Ok(())),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Ok(())),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", Ok(())),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            Ok(()),
        ),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 No\r\n\r\n", failed(Failure::Status(500))),
        ("HTTP/1.1 200 OK\r\nContent-Le", failed(Failure::Other)),
    ] {
        let (address, thread) = serve(answer);
        assert_eq!(ask(&check("kind = \"http\"\npath = \"/up?x=1\""), address).await, expected, "{answer}");
        let request = thread.join().unwrap().to_lowercase();
        assert!(request.starts_with("get /up?x=1 http/1.1\r\n"), "{request}");
        assert!(
            request.contains(&format!("host: {address}\r\n")) && request.contains("user-agent: modlb/"),
            "{request}"
        );
    }
}

/// A healthy server may send hundreds of headers, and long ones.
#[tokio::test]
async fn many_headers_are_an_answer() {
    for (count, length) in [(150, 10), (990, 50), (20, 8_000)] {
        let headers: String = (0..count).map(|n| format!("X-{n}: {}\r\n", "x".repeat(length))).collect();
        let (address, thread) = serve(format!("HTTP/1.1 200 OK\r\n{headers}\r\n"));
        assert_eq!(ask(&check("kind = \"http\""), address).await, Ok(()), "{count}");
        thread.join().unwrap();
    }
    // An endless header is not read for ever.
    let (address, thread) = serve(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2_000_000)));
    assert_eq!(ask(&check("kind = \"http\""), address).await, failed(Failure::Other));
    thread.join().unwrap();
}

/// `host` is a header: whatever it names, the server's own address and port are connected to.
#[tokio::test]
async fn the_servers_own_address_is_checked_whatever_the_host() {
    for own in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        for (host, port) in [
            ("www.example.org", true),
            ("www.example.org:8080", false),
            ("203.0.113.10", true),
            ("203.0.113.10:81", false),
            ("[2001:db8::1]", true),
            ("[2001:db8::1]:443", false),
            ("localhost", true),
            ("127.0.0.1", true),
        ] {
            let (address, thread) = serve_at(own, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned());
            let check = check(&format!("kind = \"http\"\nhost = \"{host}\""));
            assert_eq!(ask(&check, address).await, Ok(()), "{host}");
            let request = thread.join().unwrap().to_lowercase();
            let expected = if port { format!("{host}:{}", address.port()) } else { host.to_owned() };
            assert!(request.contains(&format!("host: {expected}\r\n")), "{request}");
            // A dead one is down, even if there is a server at what the host names.
            // A child that another test starts has the listener until it runs its program.
            let start = Instant::now();
            while ask(&check, address).await != failed(Failure::Refused) {
                assert!(start.elapsed() < Duration::from_secs(60), "{host} is not refused");
            }
        }
    }
}

#[test]
fn the_usual_port_is_not_named() {
    for (kind, port, expected) in [("http", 80, "a.org"), ("https", 443, "a.org"), ("https", 80, "a.org:80")] {
        let check = check(&format!("kind = \"{kind}\"\nhost = \"a.org\""));
        assert_eq!(host(&check, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)), expected);
    }
    let check = check("kind = \"http\"");
    assert_eq!(host(&check, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 80)), "[::1]");
    assert_eq!(host(&check, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 81)), "[::1]:81");
}

#[tokio::test]
async fn the_method_is_sent() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (address, thread) = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(ask(&check(&format!("kind = \"http\"\nmethod = \"{method}\"")), address).await, Ok(()));
        assert!(thread.join().unwrap().starts_with(&format!("{method} / HTTP/1.1\r\n")));
    }
}

#[tokio::test]
async fn paths_are_encoded() {
    let (address, thread) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ask(&check("kind = \"http\"\npath = '/a{b}|\"<c>?q=\"^#d'"), address).await, Ok(()));
    let request = thread.join().unwrap();
    assert!(request.starts_with("GET /a%7Bb%7D%7C%22%3Cc%3E?q=%22%5E HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn the_body_counts_if_it_is_asked_for() {
    let long = |before: usize| format!("HTTP/1.0 200 OK\r\n\r\n{}all good{}", "x".repeat(before), "y".repeat(100_000));
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nit's all good".to_owned(), Ok(())),
        // It is found across chunks.
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall g\r\n3\r\nood\r\n0\r\n\r\n".to_owned(), Ok(())),
        ("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall bad!".to_owned(), failed(Failure::Body)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), failed(Failure::Body)),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), failed(Failure::Body)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall".to_owned(), failed(Failure::Other)),
        ("HTTP/1.1 500 No\r\nContent-Length: 8\r\n\r\nall good".to_owned(), failed(Failure::Status(500))),
        (long(MAX_BODY_BYTES - 8), Ok(())),
        (long(MAX_BODY_BYTES - 7), failed(Failure::Body)),
    ] {
        let (address, thread) = serve(answer.clone());
        let found = ask(&check("kind = \"http\"\nbody = \"all good\""), address).await;
        assert_eq!(found, expected, "{}", &answer[..answer.len().min(99)]);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_fails() {
    let (address, thread) = serve("hello\r\n");
    assert_eq!(ask(&check("kind = \"http\""), address).await, failed(Failure::Other));
    thread.join().unwrap();
    let (address, thread) = serve("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(ask(&check("kind = \"https\""), address).await, failed(Failure::Tls));
    thread.join().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(&check("kind = \"https\""), closed).await, failed(Failure::Refused));
}

/// An answer that never ends, and one that never comes, are given up.
#[tokio::test]
async fn a_slow_server_is_given_up() {
    for answer in ["", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1_024]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
            // Until the client goes.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let deadline = Instant::now() + Duration::from_millis(300);
        let (outcome, _) = super::ask(&check("kind = \"http\""), address, deadline).await;
        assert_eq!(outcome, failed(Failure::Timeout), "{answer}");
        thread.join().unwrap();
    }
}
