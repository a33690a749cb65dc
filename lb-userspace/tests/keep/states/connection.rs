//! Connections, of which the test has both ends.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    thread,
};

use socket2::{Domain, Socket, Type};

use crate::{
    listeners::{QUESTION, info, talk},
    site::Site,
    support::wait::{PATIENCE, wait},
};

/// Connections in each state and family.
pub const EACH: usize = 32;

/// The client's first port. Those that the kernel chooses come again once a connection is closed.
const FIRST_PORT: u16 = 20_000;

/// More than is sent at once, so that it needs acknowledgements.
const MUCH: usize = 1 << 18;

/// The kernel's `TCP_SYN_SENT` and `TCP_CLOSE`.
const SYN_SENT: u8 = 2;
const CLOSED: u8 = 7;

/// A state in which a server may have a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// The client has not got the SYN-ACK.
    SynRecv,
    /// Nobody has accepted it.
    Queued,
    /// By a SYN cookie, of which the server has not seen the ACK.
    Cookie,
    /// Idle.
    Established,
    /// The client has closed its direction.
    ClosedByClient,
    /// The server has closed its direction.
    ClosedByServer,
    /// The server has closed it altogether, the client has not.
    FinWait2,
    /// Both have closed it, the server first.
    TimeWait,
}

/// A connection.
pub struct Connection {
    pub state: State,
    pub service: IpAddr,
    pub client: TcpStream,
    /// Its address, which stays known after it is closed.
    pub at: SocketAddr,
    /// The server's end and the server; `None`: not accepted, or closed.
    pub server: Option<(TcpStream, usize)>,
}

impl State {
    /// The port of a client of this number.
    pub const fn port(self, number: usize) -> u16 {
        FIRST_PORT + (self as usize * EACH + number) as u16
    }

    /// Whether a server accepts it only after all changes.
    pub const fn is_accepted_late(self) -> bool {
        matches!(self, Self::SynRecv | Self::Queued | Self::Cookie)
    }
}

impl Connection {
    /// Opens one from one of the client's addresses; for some states it is only begun.
    pub fn open(state: State, service: IpAddr, number: usize) -> Self {
        let to = SocketAddr::new(service, 80);
        let clients = Site::clients(service);
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(clients[number % clients.len()], state.port(number)).into()).unwrap();
        if state == State::SynRecv {
            socket.set_nonblocking(true).unwrap();
            assert_eq!(socket.connect(&to.into()).unwrap_err().raw_os_error(), Some(libc::EINPROGRESS));
        } else {
            socket.connect_timeout(&to.into(), PATIENCE).unwrap_or_else(|error| panic!("{state:?} {service}: {error}"));
        }
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let at = socket.local_addr().unwrap().as_socket().unwrap();
        Self { state, service, client: socket.into(), at, server: None }
    }

    /// Closes what the state has closed.
    pub fn enter(&mut self) {
        match self.state {
            State::SynRecv | State::Queued | State::Cookie | State::Established => {}
            State::ClosedByClient => {
                self.client.shutdown(Shutdown::Write).unwrap();
                let (server, _) = self.server.as_mut().unwrap();
                assert_eq!(server.read(&mut [0]).unwrap(), 0);
            }
            State::ClosedByServer | State::FinWait2 | State::TimeWait => {
                let (server, number) = self.server.take().unwrap();
                if self.state == State::ClosedByServer {
                    server.shutdown(Shutdown::Write).unwrap();
                    self.server = Some((server, number));
                } else {
                    drop(server);
                }
                assert_eq!(self.client.read(&mut [0]).unwrap(), 0);
                if self.state == State::TimeWait {
                    self.client.shutdown(Shutdown::Both).unwrap();
                }
            }
        }
    }

    /// Both ends say something to each other.
    pub fn talk(&mut self) -> io::Result<()> {
        let (server, _) = self.server.as_mut().unwrap();
        talk(&mut self.client, server)
    }

    /// The client says something on a connection that no server has accepted yet.
    pub fn begin(&mut self) -> io::Result<()> {
        if self.state == State::SynRecv {
            wait(|| info(&self.client).tcpi_state != SYN_SENT, || format!("no SYN-ACK comes to {}", self.at));
            self.client.set_nonblocking(false)?;
            self.client.take_error()?.map_or(Ok(()), Err)?;
        }
        self.client.write_all(&QUESTION)
    }

    /// Does what is left to do in its state.
    pub fn close(&mut self) -> io::Result<()> {
        let Self { state, client, server, .. } = self;
        match (state, server) {
            (State::SynRecv | State::Queued | State::Cookie, Some((server, _))) => {
                server.read_exact(&mut [0; QUESTION.len()])?;
                much(server, client)
            }
            (State::Established, Some((server, _))) => {
                much(server, client)?;
                much(client, server)
            }
            (State::ClosedByClient, Some((server, _))) => much(server, client),
            (State::ClosedByServer, Some((server, _))) => much(client, server),
            (State::FinWait2, None) => {
                client.shutdown(Shutdown::Write)?;
                self.closes()
            }
            (State::TimeWait, None) => Ok(()),
            (state, server) => panic!("{state:?} with {server:?}"),
        }
    }

    /// Waits until the kernel has seen the last acknowledgement.
    fn closes(&self) -> io::Result<()> {
        wait(|| info(&self.client).tcpi_state == CLOSED, || format!("state {}", info(&self.client).tcpi_state));
        self.client.take_error()?.map_or(Ok(()), Err)
    }
}

/// Sends more than is sent at once.
fn much(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    thread::scope(|scope| {
        let sends = scope.spawn(|| from.write_all(&vec![7; MUCH]));
        to.read_exact(&mut vec![0; MUCH])?;
        sends.join().unwrap()
    })
}
