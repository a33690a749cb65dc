//! The servers' programs: send back what they receive. Processes of their own, as one may not open enough files.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{frame::SERVICE, namespace::Namespace};

/// The first argument of a process that is a server's program.
pub const ARGUMENT: &str = "echo";

/// The services' port.
pub const PORT: u16 = 443;

/// A client that is silent for this long has gone without a word.
const SILENCE: Duration = Duration::from_secs(3);

/// Programs of some servers; killed on drop.
pub struct Echo(Child);

impl Echo {
    /// Starts them; returns when they listen.
    pub fn start(servers: &[Namespace]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).args(servers.iter().map(Namespace::path));
        let mut child = Self(command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn()?);
        let mut ready = child.0.stdout.take().context("it has no output")?;
        std::io::Read::read_exact(&mut ready, &mut [0; 1]).context("the servers' programs do not start")?;
        Ok(child)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves in these namespaces until the starting process ends.
pub fn serve(namespaces: impl Iterator<Item = String>) -> Result<()> {
    let mut listeners = Vec::new();
    for namespace in namespaces {
        listeners.extend(listen(Path::new(&namespace))?);
    }
    // Its input ends with the process that started it.
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for listener in listeners {
            listener.set_nonblocking(true)?;
            tasks.push(tokio::spawn(accept(tokio::net::TcpListener::from_std(listener)?)));
        }
        println!("ready");
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

/// Listens in a namespace, on a thread that enters it.
fn listen(namespace: &Path) -> Result<Vec<TcpListener>> {
    let addresses = [IpAddr::V4(SERVICE.0), IpAddr::V6(SERVICE.1)];
    let enter = || -> Result<Vec<TcpListener>> {
        setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
        addresses.into_iter().map(|address| Ok(TcpListener::bind(SocketAddr::new(address, PORT))?)).collect()
    };
    thread::scope(|scope| scope.spawn(enter).join()).map_err(|_| anyhow!("a thread panicked"))?
}

async fn accept(listener: tokio::net::TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) {
    let mut byte = [0];
    while let Ok(Ok(_)) = timeout(SILENCE, stream.read_exact(&mut byte)).await {
        if stream.write_all(&byte).await.is_err() {
            break;
        }
    }
}
