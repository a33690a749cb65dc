//! Datagrams from the client to the services, every one of them counted.

use std::{
    fs::File,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

use super::network::{CLIENT, SERVER, SERVICES, UDP_PORT, name};

/// Between two datagrams.
const PACE: Duration = Duration::from_micros(200);

/// How long datagrams may be on their way; the first ones wait until neighbours are found.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the server looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// Datagrams under way.
#[derive(Debug, Default)]
pub struct Load {
    stop: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
    sender: Option<JoinHandle<()>>,
}

impl Load {
    /// Starts sending to every service.
    pub fn start() -> Result<Self> {
        let mut load = Self::default();
        for service in SERVICES {
            load.receive(service)?;
        }
        let sockets = SERVICES.into_iter().map(sender).collect::<Result<Vec<_>>>()?;
        for socket in &sockets {
            load.warm_up(socket)?;
        }
        let (stop, sent) = (Arc::clone(&load.stop), Arc::clone(&load.sent));
        load.sender = Some(thread::spawn(move || {
            for socket in sockets.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                sent.fetch_add(u64::from(socket.send(b"one of many").is_ok()), Ordering::SeqCst);
                thread::sleep(PACE);
            }
        }));
        Ok(load)
    }

    /// How many have arrived.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Stops; returns how many were sent and how many have arrived.
    pub fn finish(mut self) -> Result<(u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            sender.join().map_err(|_| anyhow!("the sender panicked"))?;
        }
        let (start, sent) = (Instant::now(), self.sent.load(Ordering::SeqCst));
        while self.received() < sent && start.elapsed() < PATIENCE {
            thread::sleep(LOOK);
        }
        Ok((sent, self.received()))
    }

    fn receive(&mut self, service: IpAddr) -> Result<()> {
        let socket = within(SERVER, move || UdpSocket::bind(SocketAddr::new(service, UDP_PORT)))?;
        socket.set_read_timeout(Some(LOOK))?;
        let (over, received) = (Arc::clone(&self.over), Arc::clone(&self.received));
        self.threads.push(thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                received.fetch_add(u64::from(socket.recv(&mut [0; 64]).is_ok()), Ordering::SeqCst);
            }
        }));
        Ok(())
    }

    /// One datagram, waited for: hosts look for each other meanwhile.
    fn warm_up(&self, socket: &UdpSocket) -> Result<()> {
        let (start, before) = (Instant::now(), self.received());
        socket.send(b"first")?;
        self.sent.fetch_add(1, Ordering::SeqCst);
        while self.received() == before {
            ensure!(start.elapsed() < PATIENCE, "the first datagram to {} does not arrive", socket.peer_addr()?);
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..).chain(self.sender.take()) {
            let _ = thread.join();
        }
    }
}

fn sender(service: IpAddr) -> Result<UdpSocket> {
    within(CLIENT, move || {
        let any = if service.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(SocketAddr::new(service, UDP_PORT))?;
        Ok(socket)
    })
}

/// Makes a socket in a host's network namespace: by a thread of its own, whose namespace nobody else sees.
fn within(host: &str, make: impl FnOnce() -> io::Result<UdpSocket> + Send + 'static) -> Result<UdpSocket> {
    let namespace = File::open(Path::new("/run/netns").join(name(host)))?;
    let thread = thread::spawn(move || -> Result<UdpSocket> {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        Ok(make()?)
    });
    thread
        .join()
        .map_err(|_| anyhow!("a thread panicked"))?
        .with_context(|| format!("making a socket in {}", name(host)))
}
