//! A client and a server on a cable, with role `keep` on the server and, for comparison, on another cable without.
//!
//! The service has a previous list with another server, so each packet's socket is looked up.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use crate::{
    frame::{Family, SERVICE},
    interrupt,
    modlb::Modlb,
    namespace::Namespace,
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
};

const PORT: u16 = 443;

/// The share of what it is without role `keep`.
const SHARE: Target = Target::AtLeast(0.95);

/// What is measured, and its unit.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// From the server.
    Download,
    /// To the server.
    Upload,
    /// One connection after another.
    Connections,
}

impl Load {
    const ALL: [Self; 3] = [Self::Download, Self::Upload, Self::Connections];

    const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Download => ("download", "Gbit/s"),
            Self::Upload => ("upload", "Gbit/s"),
            Self::Connections => ("new connections", "1/s"),
        }
    }
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("servers: setting up cables");
    let (with, without) = (Cable::new(options, true)?, Cable::new(options, false)?);
    let (rounds, time) = if options.quick { (7, Duration::from_millis(80)) } else { (25, Duration::from_millis(250)) };
    let mut rows = Vec::new();
    for family in [Family::V4, Family::V6] {
        for load in Load::ALL {
            let (name, unit) = load.name();
            progress.step(format!("servers: {}: {name}", family.name()));
            let (mut figures, mut ratios) = (Vec::new(), Vec::new());
            for round in 0..rounds {
                interrupt::check()?;
                progress.done(round, rounds);
                // In turn, each first as often as the other.
                let (kept, plain) = if round % 2 == 0 {
                    let kept = with.measure(family, load, time)?;
                    (kept, without.measure(family, load, time)?)
                } else {
                    let plain = without.measure(family, load, time)?;
                    (with.measure(family, load, time)?, plain)
                };
                figures.push(kept);
                ratios.push(kept / plain);
            }
            let row = Row::new(Group::Servers, format!("{} {name}", family.name()), unit, &figures);
            rows.push(row.with_ratio("without keep", &ratios).with_target(SHARE));
        }
    }
    Ok(rows)
}

/// A client and a server.
struct Cable {
    // Before the namespaces, so that it is detached first.
    _modlb: Option<Modlb>,
    client: Namespace,
    server: Namespace,
}

impl Cable {
    fn new(options: &Options, keep: bool) -> Result<Self> {
        let (client, server) = (Namespace::new("client")?, Namespace::new("server")?);
        let peer = server.name();
        client.ip(&format!("link add eth0 type veth peer name eth0 netns {peer} address 02:00:00:00:00:01"))?;
        for (namespace, number) in [(&client, 9), (&server, 1)] {
            namespace.set("net/ipv6/conf/eth0/accept_dad", "0")?;
            namespace.ip("link set eth0 up")?;
            namespace.ip(&format!("address add 10.1.0.{number}/24 dev eth0"))?;
            namespace.ip(&format!("address add fd00::{number}/64 dev eth0 nodad"))?;
        }
        server.ip(&format!("address add {}/32 dev lo", SERVICE.0))?;
        server.ip(&format!("address add {}/128 dev lo nodad", SERVICE.1))?;
        client.ip(&format!("route add {} via 10.1.0.1", SERVICE.0))?;
        client.ip(&format!("route add {} via fd00::1", SERVICE.1))?;
        let modlb = if keep {
            let modlb = Modlb::new(&options.modlb, &server)?;
            modlb.attach("eth0 --role keep", &configuration())?;
            Some(modlb)
        } else {
            None
        };
        Ok(Self { _modlb: modlb, client, server })
    }

    /// Gbit or connections for each second.
    fn measure(&self, family: Family, load: Load, time: Duration) -> Result<f64> {
        let service = SocketAddr::new(address(family), PORT);
        let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let listener = self.server.within(|| Ok(TcpListener::bind(service)?))?;
        thread::scope(|scope| {
            let serving = scope.spawn(|| serve(&listener, load, &stop, &count));
            let elapsed = self.client.within(|| visit(service, load, time, &stop, &count));
            // The server's end may be waiting for a connection.
            stop.store(true, Relaxed);
            self.client.within(|| Ok(TcpStream::connect(service).map(drop)?))?;
            serving.join().map_err(|_| anyhow!("the server panicked"))??;
            let count = count.load(Relaxed) as f64;
            let figure = if matches!(load, Load::Connections) { count } else { 8e-9 * count };
            Ok(figure / elapsed?.as_secs_f64())
        })
    }
}

const fn address(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(SERVICE.0),
        Family::V6 => IpAddr::V6(SERVICE.1),
    }
}

/// This host is the only server now, so all connections are its own; before, there was another.
fn configuration() -> String {
    let service = |name: &str, address: IpAddr, own: &str, other: &str| {
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = {PORT}\n\
             previous = [[\"{own}\", \"{other} mac 02:00:00:00:00:02\"]]\nserver = [{{address = \"{own}\"}}]\n"
        )
    };
    let services = [
        service("four", address(Family::V4), "10.1.0.1", "10.1.0.2"),
        service("six", address(Family::V6), "fd00::1", "fd00::2"),
    ];
    format!("role = \"keep\"\n{}", services.concat())
}

/// The server's end of one measurement.
fn serve(listener: &TcpListener, load: Load, stop: &AtomicBool, count: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    while !stop.load(Relaxed) {
        let (mut stream, _) = listener.accept()?;
        while !stop.load(Relaxed) {
            let moved = match load {
                Load::Download => stream.write(&buffer),
                Load::Upload => stream.read(&mut buffer),
                Load::Connections => break,
            };
            match moved {
                Ok(0) | Err(_) => break,
                Ok(bytes) if matches!(load, Load::Upload) => _ = count.fetch_add(bytes as u64, Relaxed),
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// The client's end; returns how long it took.
fn visit(service: SocketAddr, load: Load, time: Duration, stop: &AtomicBool, count: &AtomicU64) -> Result<Duration> {
    let mut buffer = vec![0; 1 << 18];
    let start = Instant::now();
    if matches!(load, Load::Connections) {
        while start.elapsed() < time {
            let stream = TcpStream::connect(service)?;
            // The server closes first. No TIME_WAIT stays at the client, whose ports would run out.
            (&stream).read_exact(&mut buffer[..1]).ok();
            count.fetch_add(1, Relaxed);
        }
        return Ok(start.elapsed());
    }
    let mut stream = TcpStream::connect(service)?;
    while start.elapsed() < time {
        match load {
            Load::Download => _ = count.fetch_add(stream.read(&mut buffer)? as u64, Relaxed),
            Load::Upload => _ = stream.write(&buffer)?,
            Load::Connections => {}
        }
    }
    let elapsed = start.elapsed();
    stop.store(true, Relaxed);
    Ok(elapsed)
}
