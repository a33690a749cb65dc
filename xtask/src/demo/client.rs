//! Connections from the clients' addresses.

use std::{
    fs::File,
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};
use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Socket, Type};

use super::topology::client_namespace;

/// Takes this thread into the clients' namespace for good.
pub fn enter() -> io::Result<()> {
    Ok(setns(File::open(client_namespace())?, CloneFlags::CLONE_NEWNET)?)
}

/// Does something on a thread in the clients' namespace.
pub fn in_client_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    thread::scope(|scope| {
        let entered = scope.spawn(|| -> Result<T> {
            enter()?;
            Ok(work())
        });
        entered.join().map_err(|_| anyhow!("a client panicked"))?
    })
}

/// Connects to a service from a client's address, on a thread in the clients' namespace.
pub fn connect(client: IpAddr, service: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(service), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect_timeout(&service.into(), patience)?;
    Ok(socket.into())
}
