//! Requests a page by HTTP/1.1, with or without TLS.
//!
//! Each attempt opens a connection, as a new client would, follows no redirect, and keeps nothing. Certificates are
//! verified only if the check says so, as they do not name servers' addresses.

use std::{error::Error, io, net::SocketAddr, sync::OnceLock};

use reqwest::{Client, ClientBuilder, redirect::Policy};

use super::failure::failure;
use crate::config::model::{Check, Failure, Kind};

/// Requests the check's page from a server.
pub async fn ask(check: &Check, server: SocketAddr) -> Result<(), Failure> {
    let client = client(check, server).map_err(|error| cause(&error))?;
    let answer = client.get(url(check, server)).send().await.map_err(|error| cause(&error))?;
    let status = answer.status().as_u16();
    let (first, last) = check.expect;
    if (first..=last).contains(&status) { Ok(()) } else { Err(Failure::Status(status)) }
}

fn url(check: &Check, server: SocketAddr) -> String {
    let scheme = match check.kind {
        Kind::Https => "https",
        Kind::Http | Kind::Tcp | Kind::Icmp => "http",
    };
    match &check.host {
        Some(host) => format!("{scheme}://{host}:{}{}", server.port(), check.path),
        None => format!("{scheme}://{server}{}", check.path),
    }
}

fn client(check: &Check, server: SocketAddr) -> reqwest::Result<Client> {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Fails if one is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = ClientBuilder::new()
        .user_agent(concat!("modlb/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(check.timeout)
        .local_address(check.source)
        .tls_danger_accept_invalid_certs(!check.verify);
    if let Some(host) = &check.host {
        builder = builder.resolve(host, server);
    }
    builder.build()
}

/// The root cause of an error.
fn cause(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Timeout;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<rustls::Error>().is_some() {
            return Failure::Tls;
        }
        let io = error.downcast_ref::<io::Error>();
        // Trap: `source()` of an `io::Error` skips the error that it wraps.
        let inner = io.and_then(|io| io.get_ref()).map(|inner| inner as &(dyn Error + 'static));
        if let (Some(io), None) = (io, inner) {
            return failure(io);
        }
        next = inner.or_else(|| error.source());
    }
    Failure::Other
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
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

    /// Answers one request, and returns it.
    fn serve(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 1_024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (address, thread)
    }

    #[tokio::test]
    async fn the_status_counts() {
        for (answer, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
            ("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", Ok(())),
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Err(Failure::Status(503))),
        ] {
            let (address, thread) = serve(answer);
            assert_eq!(ask(&check("kind = \"http\"\npath = \"/up?x=1\""), address).await, expected);
            let request = thread.join().unwrap().to_lowercase();
            assert!(request.starts_with("get /up?x=1 http/1.1\r\n"), "{request}");
            assert!(
                request.contains(&format!("host: {address}\r\n")) && request.contains("user-agent: modlb/"),
                "{request}"
            );
        }
    }

    #[tokio::test]
    async fn a_host_name_is_requested_at_the_servers_address() {
        let (address, thread) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(ask(&check("kind = \"http\"\nhost = \"www.example.org\""), address).await, Ok(()));
        let request = thread.join().unwrap().to_lowercase();
        assert!(request.contains(&format!("host: www.example.org:{}\r\n", address.port())), "{request}");
    }

    #[tokio::test]
    async fn a_server_of_another_protocol_fails() {
        let (address, thread) = serve("hello\r\n");
        assert_eq!(ask(&check("kind = \"http\""), address).await, Err(Failure::Other));
        thread.join().unwrap();
        let (address, thread) = serve("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(ask(&check("kind = \"https\""), address).await, Err(Failure::Tls));
        thread.join().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask(&check("kind = \"https\""), closed).await, Err(Failure::Refused));
    }
}
