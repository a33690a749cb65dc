//! Checks the Host header of requests, and sets security headers in answers.
//!
//! Trap: any website can make its name resolve to this host (DNS rebinding) and then read everything, since to the
//! browser this host is then that site. Such a request always names the attacker's host, so the check of `Host` stops
//! it.

use std::{fs, net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::page::policy;

/// The host names that requests may use.
pub struct HttpGuard {
    hosts: Vec<String>,
}

impl HttpGuard {
    /// The given names and this host's own.
    pub fn new(mut hosts: Vec<String>) -> Self {
        if let Ok(own) = fs::read_to_string("/proc/sys/kernel/hostname") {
            hosts.push(own.trim().to_owned());
        }
        Self { hosts }
    }

    /// Accepts addresses, which cannot be an attacker's name, and requests without a name, which no browser sends.
    fn allows(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return true };
        let name = name_of(host);
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// The host of `name`, `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

/// Refuses requests to other names, and adds security headers to each answer.
pub async fn check(State(guard): State<Arc<HttpGuard>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let mut response = if guard.allows(host.as_deref()) {
        next.run(request).await
    } else {
        let text =
            "this host does not accept that name; use its address, or start the listener with --allow-host NAME\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    };
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_known_names_are_accepted() {
        let guard = HttpGuard::new(vec!["gw1.example.net".into()]);
        for host in [
            "127.0.0.1:9652",
            "192.0.2.1",
            "[::1]:9652",
            "[2001:db8::1]",
            "localhost:9652",
            "LOCALHOST",
            "gw1.example.net:9652",
            "GW1.example.net.:80",
        ] {
            assert!(guard.allows(Some(host)), "{host}");
        }
        assert!(guard.allows(None));
        for host in [
            "attacker.example",
            "attacker.example:9652",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "",
        ] {
            assert!(!guard.allows(Some(host)), "{host}");
        }
    }
}
