//! A client, a gateway and servers on one Ethernet segment.
//!
//! ```text
//!              br0 in `switch`
//!    ┌────────────┬────────────┬───── …
//!  client      gateway      servers 1, 2, …, each with the services' addresses on lo
//!  10.0.0.2    10.0.0.1     10.0.0.11, 10.0.0.12, …
//! ```

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Socket, Type};

use super::{
    modlb::Modlb,
    namespace::{Namespace, run},
    wait::PATIENCE,
};

/// The services' addresses.
pub const SERVICES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x10))];

/// The port on which every server answers with its number.
pub const TCP_PORT: u16 = 80;

/// The port on which every server counts datagrams.
pub const UDP_PORT: u16 = 9_000;

/// The port on which every server sends [`BULK`] bytes.
pub const BULK_PORT: u16 = 81;

/// Many times what a path can hold in flight.
pub const BULK: usize = 2 << 20;

/// How long a server waits for a client's request. Longer than a client waits for the answer: a server that gave up
/// first would reset a connection whose client was only slow, which looks as if the flow had moved.
const SERVER_PATIENCE: Duration = Duration::from_secs(2 * PATIENCE.as_secs());

/// How often servers check whether to stop, in milliseconds.
const LOOK: u8 = 20;

/// The network.
pub struct Network {
    pub modlb: Modlb,
    pub gateway: Namespace,
    pub client: Namespace,
    servers: Vec<Host>,
    pub switch: Namespace,
    clients: u8,
}

/// A server.
pub struct Host {
    pub namespace: Namespace,
    stop: Arc<AtomicBool>,
    /// How many datagrams it has received.
    pub datagrams: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Network {
    /// Builds one with this many servers, and this many client addresses in each family.
    pub fn new(servers: u8, clients: u8) -> Self {
        let switch = Namespace::new("switch");
        switch.ip("link add br0 type bridge");
        switch.ip("link set br0 up");
        let gateway = host(&switch, "gateway", 1);
        let client = host(&switch, "client", 2);
        for number in 0..clients {
            client.ip(&format!("addr add {}/24 dev eth0", client_address(false, number)));
            client.ip(&format!("addr add {}/64 dev eth0 nodad", client_address(true, number)));
        }
        for service in SERVICES {
            let via = if service.is_ipv4() { "10.0.0.1" } else { "fd00::1" };
            client.ip(&format!("route add {service} via {via}"));
        }
        let servers = (0..servers).map(|number| Host::new(&switch, number)).collect();
        let modlb = Modlb::new(&gateway);
        Self { modlb, gateway, client, servers, switch, clients }
    }

    /// Attaches in this mode and does everything that a veth needs for it.
    pub fn attach(&self, mode: &str, configuration: &str) {
        if mode == "native" {
            self.pass(true);
        }
        self.modlb.attach(&format!("eth0 --mode {mode}"), configuration);
    }

    /// How many datagrams a server has received.
    pub fn datagrams_of(&self, server: u8) -> u64 {
        self.servers[usize::from(server)].datagrams.load(Ordering::SeqCst)
    }

    /// Lets the gateway's veth take frames that XDP sends back, or ends that.
    pub fn pass(&self, on: bool) {
        let remove = if on { "" } else { "--remove" };
        let mut modlb = Command::new(env!("CARGO_BIN_EXE_modlb"));
        modlb.args(["--netns", self.switch.name(), "dev", "pass", "v-gateway"]).args(remove.split_whitespace());
        let output = modlb.output().unwrap();
        assert!(!on || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A configuration with a service for each address, each with the first `servers` servers.
    pub fn configuration(&self, servers: u8, what: &str) -> String {
        let mut text = String::new();
        for service in SERVICES {
            let name = name(service);
            text += &format!("[[service]]\nname = \"{name}\"\naddress = \"{service}\"\n{what}\n");
            for number in 0..servers {
                text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(service.is_ipv6(), number));
            }
        }
        text
    }

    /// The client's addresses of a service's family.
    pub fn client_addresses(&self, service: IpAddr) -> Vec<IpAddr> {
        (0..self.clients).map(|number| client_address(service.is_ipv6(), number)).collect()
    }

    /// The servers' namespaces.
    pub fn server_namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.servers.iter().map(|server| &server.namespace)
    }

    /// How many datagrams all servers have received.
    pub fn datagrams(&self) -> u64 {
        self.servers.iter().map(|server| server.datagrams.load(Ordering::SeqCst)).sum()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.pass(false);
    }
}

/// The name of the service with this address.
pub fn name(service: IpAddr) -> &'static str {
    if service.is_ipv4() { "web4" } else { "web6" }
}

/// The address of a client.
pub fn client_address(six: bool, number: u8) -> IpAddr {
    if six {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number.into()).into()
    } else {
        Ipv4Addr::new(10, 0, 0, 100 + number).into()
    }
}

/// The address of a server.
pub fn server_address(six: bool, number: u8) -> IpAddr {
    if six {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 11 + u16::from(number)).into()
    } else {
        Ipv4Addr::new(10, 0, 0, 11 + number).into()
    }
}

/// A host on the segment, at 10.0.0.`number` and fd00::`number`.
pub fn host(switch: &Namespace, label: &str, number: u8) -> Namespace {
    let host = Namespace::new(label);
    // Trap: while its link-local address is being checked for duplicates, a host cannot ask for a neighbour's MAC.
    host.within(|| std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
    let name = host.name();
    switch.ip(&format!("link add v-{label} type veth peer name eth0 netns {name} address 02:00:00:00:00:{number:02x}"));
    switch.ip(&format!("link set v-{label} master br0 up"));
    host.ip("link set eth0 up");
    host.ip(&format!("addr add 10.0.0.{number}/24 dev eth0"));
    host.ip(&format!("addr add fd00::{number:x}/64 dev eth0 nodad"));
    // A veth leaves checksums to hardware, and frames that XDP forwards never meet any.
    host.run("ethtool", "-K eth0 tx off");
    host
}

impl Host {
    /// A server at 10.0.0.11 + `number`.
    pub fn new(switch: &Namespace, number: u8) -> Self {
        let namespace = host(switch, &format!("s{number}"), 11 + number);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/server-setup.sh");
        run(Command::new(script).args(["--netns", namespace.name()]).args(SERVICES.map(|service| service.to_string())));
        Self::serving(namespace, number)
    }

    /// Starts to serve on a host that exists already.
    pub fn serving(namespace: Namespace, number: u8) -> Self {
        let (stop, datagrams) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for any in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            let (tcp, bulk, udp) = namespace.within(|| (listen(any, TCP_PORT), listen(any, BULK_PORT), count(any)));
            let stopped = Arc::clone(&stop);
            threads.push(thread::spawn(move || accept(&tcp, &stopped, move |stream| say(stream, number))));
            let stopped = Arc::clone(&stop);
            threads.push(thread::spawn(move || accept(&bulk, &stopped, |mut stream| stream.write_all(&vec![7; BULK]))));
            let (stopped, datagrams) = (Arc::clone(&stop), Arc::clone(&datagrams));
            threads.push(thread::spawn(move || receive(&udp, &datagrams, &stopped)));
        }
        Self { namespace, stop, datagrams, threads }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        let state = Path::new("/run/modlb-server").join(self.namespace.name());
        let _ = std::fs::remove_dir_all(state);
        let _ = std::fs::remove_dir("/run/modlb-server");
    }
}

fn socket(any: IpAddr, kind: Type, port: u16) -> Socket {
    let address = SocketAddr::new(any, port);
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    if any.is_ipv6() {
        socket.set_only_v6(true).unwrap();
    }
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

fn listen(any: IpAddr, port: u16) -> TcpListener {
    let socket = socket(any, Type::STREAM, port);
    socket.listen(1_024).unwrap();
    socket.into()
}

fn count(any: IpAddr) -> UdpSocket {
    let socket = socket(any, Type::DGRAM, UDP_PORT);
    // Holds everything that arrives while the thread sleeps.
    socket.set_recv_buffer_size(8 << 20).unwrap();
    socket.into()
}

/// Serves each connection on its own thread: one that changed servers half-way stays silent, and must not make others
/// wait.
fn accept<F>(listener: &TcpListener, stop: &AtomicBool, serve: F)
where
    F: Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let serve = serve.clone();
                let ready = stream
                    .set_nonblocking(false)
                    .and_then(|()| stream.set_read_timeout(Some(SERVER_PATIENCE)))
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                drop(thread::spawn(move || ready.and_then(|()| serve(stream))));
            }
            Err(_) => wait(listener),
        }
    }
}

/// Answers a request with the server's number.
fn say(mut stream: TcpStream, number: u8) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    stream.write_all(&[number])
}

fn receive(socket: &UdpSocket, datagrams: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match socket.recv(&mut [0; 64]) {
            Ok(_) => drop(datagrams.fetch_add(1, Ordering::SeqCst)),
            Err(_) => wait(socket),
        }
    }
}

/// Sleeps until something arrives or it is time to check whether to stop.
fn wait(socket: &impl std::os::fd::AsFd) {
    let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LOOK));
}

/// Connects from `client` to a service, in the current namespace.
pub fn connect(client: IpAddr, service: IpAddr, port: u16) -> io::Result<TcpStream> {
    let to = SocketAddr::new(service, port);
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    // Connections in TIME_WAIT must not use up the client's ports.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Makes a request from `client` to a service, in the current namespace: the source port and the server's number.
pub fn request(client: IpAddr, service: IpAddr) -> io::Result<(u16, u8)> {
    let mut stream = connect(client, service, TCP_PORT)?;
    let port = stream.local_addr()?.port();
    stream.write_all(b"?")?;
    let mut number = [0];
    stream.read_exact(&mut number)?;
    Ok((port, number[0]))
}

/// A socket that sends datagrams from `client` to a service, in the current namespace.
pub fn datagrams_to(client: IpAddr, service: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(client, 0)).unwrap();
    socket.connect(SocketAddr::new(service, UDP_PORT)).unwrap();
    socket
}
