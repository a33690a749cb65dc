//! Datagrams from the client, each with a number of its own, and servers that take them.

use std::{
    fs::File,
    net::{TcpListener, UdpSocket},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};

use crate::world::{CHECK_PORT, SERVICES, UDP_PORT, World};

/// Between two rounds of datagrams.
const PACE: Duration = Duration::from_millis(8);

/// Source ports: with the formula `5-tuple` they spread over all servers.
const SOCKETS: usize = 64;

/// What has been sent and received.
pub struct Traffic {
    start: Instant,
    sent: Arc<AtomicU64>,
    /// When another host than the balancers received each service's last datagram, in milliseconds.
    last: Arc<[AtomicU64; 2]>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    pub fn last(&self, service: usize) -> Instant {
        self.start + Duration::from_millis(self.last[service].load(Ordering::SeqCst))
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Starts the client and the servers.
pub fn start(world: &World) -> Traffic {
    let traffic = Traffic { start: Instant::now(), sent: Arc::default(), last: Arc::default(), stop: Arc::default() };
    // What a balancer receives, it may have failed to balance.
    let nobody: Arc<[AtomicU64; 2]> = Arc::default();
    for (number, host) in world.hosts.iter().enumerate() {
        let (serving, last) = (Arc::clone(&host.serving), Arc::clone(if number < 2 { &nobody } else { &traffic.last }));
        let (stop, start) = (Arc::clone(&traffic.stop), traffic.start);
        within(host.namespace.path(), move || serve(&serving, &last, &stop, start));
    }
    let (sent, stop) = (Arc::clone(&traffic.sent), Arc::clone(&traffic.stop));
    within(world.client.path(), move || send(&sent, &stop));
    traffic
}

/// Starts a thread that stays in a namespace.
pub fn within(namespace: PathBuf, work: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        setns(File::open(namespace).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
        work();
    });
}

fn send(sent: &AtomicU64, stop: &AtomicBool) {
    let sockets: Vec<_> = (0..SOCKETS).map(|_| UdpSocket::bind("10.0.0.2:0").unwrap()).collect();
    for socket in sockets.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        for (service, address) in SERVICES.iter().enumerate() {
            let number = sent.fetch_add(1, Ordering::SeqCst);
            let mut payload = number.to_be_bytes().to_vec();
            payload.push(service as u8);
            // While the balancer has no MAC, there is an error.
            let _ = socket.send_to(&payload, (*address, UDP_PORT));
        }
        thread::sleep(PACE);
    }
}

/// Answers checks and takes datagrams as long as the host serves.
fn serve(serving: &AtomicBool, last: &[AtomicU64; 2], stop: &AtomicBool, start: Instant) {
    while !stop.load(Ordering::Relaxed) {
        if !serving.load(Ordering::Relaxed) {
            thread::sleep(PACE);
            continue;
        }
        let (Ok(checks), Ok(socket)) =
            (TcpListener::bind(("0.0.0.0", CHECK_PORT)), UdpSocket::bind(("0.0.0.0", UDP_PORT)))
        else {
            thread::sleep(PACE);
            continue;
        };
        checks.set_nonblocking(true).unwrap();
        socket.set_read_timeout(Some(PACE)).unwrap();
        while serving.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
            while checks.accept().is_ok() {}
            let mut payload = [0; 16];
            if let Ok(9) = socket.recv(&mut payload) {
                let now = start.elapsed().as_millis() as u64;
                last[usize::from(payload[8] & 1)].store(now, Ordering::SeqCst);
            }
        }
    }
}
