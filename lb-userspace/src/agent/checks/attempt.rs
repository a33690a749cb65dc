//! One attempt of a health check: `tcp`, `page` for `http` and `https`, and `echo`.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use super::{echo, fault::Fault, page, tcp};
use crate::config::model::{Check, Kind};

/// Tries a server once, at the check's or the service's port. Also returns how long the answer took.
pub(super) async fn attempt(check: &Check, address: IpAddr, port: u16) -> (Result<(), Fault>, Duration) {
    let (start, server) = (Instant::now(), SocketAddr::new(address, port));
    let deadline = start + check.timeout;
    let (outcome, answered) = match check.kind {
        Kind::Tcp => (tcp::check(check.source, server, deadline).await, Instant::now()),
        Kind::Icmp => (echo::check(check.source, address, deadline).await, Instant::now()),
        Kind::Http | Kind::Https => page::ask(check, server, deadline).await,
    };
    (outcome, answered - start)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::config::model::Failure;

    fn check(kind: Kind) -> Check {
        let text = format!(
            "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\nprotocol = \"tcp\"\nport = 1\ncheck = {{ kind = {:?}, interval = 3, timeout = 3 }}",
            kind.name()
        );
        crate::config::file::parse(&text).unwrap().services.remove(0).check.unwrap()
    }

    #[tokio::test]
    async fn tcp_connects_or_is_refused() {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let listener = std::net::TcpListener::bind((address, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert_eq!(attempt(&check(Kind::Tcp), address, port).await.0, Ok(()));
            drop(listener);
            let refused = Err(Fault::Server(Failure::Refused));
            // A child that another test starts has the listener until it runs its program.
            let start = Instant::now();
            while attempt(&check(Kind::Tcp), address, port).await.0 != refused {
                assert!(start.elapsed() < Duration::from_secs(60), "{address} is not refused");
            }
        }
    }

    #[tokio::test]
    async fn an_echo_is_answered() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: raw sockets need root");
            return;
        }
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            assert_eq!(attempt(&check(Kind::Icmp), address, 0).await.0, Ok(()), "{address}");
        }
    }
}
