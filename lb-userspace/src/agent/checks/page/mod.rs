//! Requests a page by HTTP/1.1, with or without TLS.
//!
//! Each attempt opens a connection to the server's own address, whatever `host` says, as a new client would, follows no
//! redirect, and keeps nothing. Certificates are verified only if the check says so, as they do not name servers'
//! addresses.

use std::{net::SocketAddr, pin::pin, time::Duration};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    body::{Body as _, Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout, timeout_at},
};

use super::{fault::Fault, keep_open::KeepOpen, tcp, tls};
use crate::config::model::{Check, Failure, Host, HostName, Kind};

/// How much of a body is read.
const MAX_BODY_BYTES: usize = 64 * 1_024;

/// How many headers an answer may have, and how many bytes they may take.
const MAX_HEADERS: usize = 1_000;
const MAX_HEADER_BYTES: usize = 256 * 1_024;

/// How long the rest of an answer that no longer matters is waited for, so that the server need not log that it could
/// not be sent.
const REST: Duration = Duration::from_millis(500);

/// What a path may not contain as it is.
const ENCODED: &AsciiSet =
    &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// An answer, and when it was known.
pub(super) type Judged = (Result<(), Fault>, Instant);

/// Requests the check's page from a server.
pub(super) async fn ask(check: &Check, server: SocketAddr, deadline: Instant) -> Judged {
    match timeout_at(deadline, connect_and_ask(check, server, deadline)).await {
        Ok(Ok(judged)) => judged,
        Ok(Err(fault)) => (Err(fault), Instant::now()),
        Err(_) => (Err(Failure::Timeout.into()), Instant::now()),
    }
}

async fn connect_and_ask(check: &Check, server: SocketAddr, deadline: Instant) -> Result<Judged, Fault> {
    let stream = KeepOpen(tcp::open(check.source, server, deadline).await?);
    match check.kind {
        Kind::Https => exchange(check, server, tls::connect(check, server.ip(), stream).await?).await,
        Kind::Http | Kind::Tcp | Kind::Icmp => exchange(check, server, stream).await,
    }
}

async fn exchange(
    check: &Check,
    server: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Judged, Fault> {
    let mut builder = http1::Builder::new();
    builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEADER_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Other)?;
    let request = request(check, server).map_err(|_| Failure::Other)?;
    let answer = async {
        let judged = match sender.send_request(request).await {
            Ok(response) => judge(check, response).await,
            Err(_) => Err((Failure::Other, None)),
        };
        let (outcome, rest) = match judged {
            Ok(rest) => (Ok(()), Some(rest)),
            Err((failure, rest)) => (Err(Fault::Server(failure)), rest),
        };
        let judged = (outcome, Instant::now());
        if let Some(rest) = rest {
            let _ = timeout(REST, skip(rest)).await;
        }
        drop(sender);
        judged
    };
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    let judged = tokio::select! {
        biased;
        judged = &mut answer => judged,
        // What it has received is still to be read.
        _ = &mut connection => return Ok(answer.await),
    };
    // It says goodbye by TLS.
    let _ = timeout(REST, connection).await;
    Ok(judged)
}

/// What remains of a body, and how much of it has been read.
struct Rest {
    body: Incoming,
    read: usize,
}

/// Judges an answer, and returns what was not read of its body.
async fn judge(check: &Check, response: hyper::Response<Incoming>) -> Result<Rest, (Failure, Option<Rest>)> {
    let status = response.status().as_u16();
    let (first, last) = check.expect;
    let mut rest = Rest { body: response.into_body(), read: 0 };
    if !(first..=last).contains(&status) {
        return Err((Failure::Status(status), Some(rest)));
    }
    let Some(wanted) = check.body.as_deref().map(str::as_bytes) else { return Ok(rest) };
    let mut seen: Vec<u8> = Vec::new();
    while let Some(frame) = rest.body.frame().await {
        let Ok(frame) = frame else { return Err((Failure::Other, None)) };
        let Some(data) = frame.data_ref() else { continue };
        // The text may have begun in the frame before.
        let from = seen.len().saturating_sub(wanted.len() - 1);
        seen.extend_from_slice(&data[..data.len().min(MAX_BODY_BYTES - seen.len())]);
        rest.read = seen.len();
        if seen[from..].windows(wanted.len()).any(|window| window == wanted) {
            return Ok(rest);
        }
        if seen.len() == MAX_BODY_BYTES {
            break;
        }
    }
    Err((Failure::Body, Some(rest)))
}

async fn skip(Rest { mut body, mut read }: Rest) {
    while read < MAX_BODY_BYTES && !body.is_end_stream() {
        let Some(Ok(frame)) = body.frame().await else { return };
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn request(check: &Check, server: SocketAddr) -> hyper::http::Result<Request<Empty<Bytes>>> {
    // What follows a `#` is the client's own matter.
    let path = check.path.split('#').next().unwrap_or("/");
    Request::builder()
        .method(check.method.name())
        .uri(utf8_percent_encode(path, ENCODED).to_string())
        .header(header::HOST, host(check, server))
        .header(header::USER_AGENT, concat!("modlb/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
}

/// The `Host` header: the port only if it is given, or is not the scheme's (RFC 9110, 7.2).
fn host(check: &Check, server: SocketAddr) -> String {
    let usual = if check.kind == Kind::Https { 443 } else { 80 };
    let mut host = check.host.clone().unwrap_or_else(|| Host { name: HostName::Ip(server.ip()), port: None });
    host.port = host.port.or(Some(server.port()).filter(|port| *port != usual));
    host.to_string()
}

#[cfg(test)]
mod tests;
