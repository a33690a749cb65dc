//! A real web server that is reloaded and ended under its connections.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{
    WEB,
    listeners::connect,
    need_root,
    site::{Lists, Site},
    support::{namespace::Namespace, network::SERVICES, wait::wait},
};

/// Bytes of a download, which nginx sends within eight seconds.
const BYTES: usize = 320_000;
const BYTES_PER_SECOND: usize = 40_000;

/// nginx on a server.
struct Nginx {
    master: Child,
    directory: TempDir,
}

impl Nginx {
    fn start(host: &Namespace) -> Self {
        let directory = TempDir::new().unwrap();
        // Its workers are of another user.
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("download"), content()).unwrap();
        fs::write(directory.path().join("nginx.conf"), configuration(directory.path())).unwrap();
        let at = directory.path().display().to_string();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut nginx = host.command("nginx");
        nginx.args(["-e", &format!("{at}/log"), "-p", &at, "-c", &format!("{at}/nginx.conf")]);
        let master = nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let nginx = Self { master, directory };
        wait(|| nginx.pid().is_some(), || format!("nginx does not start: {}", nginx.log()));
        nginx
    }

    /// The process that others are children of.
    fn pid(&self) -> Option<Pid> {
        fs::read_to_string(self.directory.path().join("pid")).ok()?.trim().parse().ok().map(Pid::from_raw)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// New processes accept; those before serve the connections that they have.
    fn reload(&self) {
        let before = self.workers();
        kill(self.pid().unwrap(), Signal::SIGHUP).unwrap();
        let is_old = |worker: &(i32, bool)| before.iter().any(|(old, _)| *old == worker.0);
        let is_done = |worker: &(i32, bool)| is_old(worker) == worker.1;
        let done = || self.workers().iter().all(is_done) && self.workers().iter().any(|worker| !is_old(worker));
        wait(done, || format!("nginx is not reloaded: {}", self.log()));
    }

    /// Nobody accepts any more; connections are served to their end.
    fn quit(&self) {
        kill(self.pid().unwrap(), Signal::SIGQUIT).unwrap();
        wait(|| self.workers().iter().all(|(_, ends)| *ends), || format!("nginx goes on: {}", self.log()));
    }

    /// Its worker processes, and whether they are about to end.
    fn workers(&self) -> Vec<(i32, bool)> {
        let master = self.pid().map_or(0, Pid::as_raw);
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        let workers = children.split_whitespace().filter_map(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid.parse().ok()?, line.contains("shutting down")))
        });
        workers.collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGTERM);
        }
        let _ = self.master.wait();
    }
}

fn configuration(directory: &Path) -> String {
    let at = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/{name};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes 1;\npid {at}/pid;\nlock_file {at}/lock;\nevents {{ worker_connections 1024; }}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{\nlisten 0.0.0.0:80;\nlisten [::]:80 ipv6only=on;\n\
         location / {{ root {at}; limit_rate {BYTES_PER_SECOND}; }}\n}}\n}}\n"
    )
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|place| b'a' + (place / 1_000 % 26) as u8).collect()
}

/// A download in each family from each of the client's addresses.
fn start(site: &Site) -> Vec<JoinHandle<io::Result<()>>> {
    let clients = SERVICES.into_iter().flat_map(|it| Site::clients(it).into_iter().map(move |client| (it, client)));
    let download = |(service, client)| {
        let mut stream = connect(site, service, SocketAddr::new(client, 0));
        thread::spawn(move || {
            write!(stream, "GET /download HTTP/1.1\r\nHost: {service}\r\nConnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            let content = content();
            if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(&content) {
                Ok(())
            } else {
                Err(io::Error::other(format!("{} bytes", answer.len())))
            }
        })
    };
    clients.map(download).collect()
}

#[test]
fn nginx_is_reloaded_and_ended_under_its_connections() {
    need_root!();
    let site = Site::bare(1, 4);
    let servers: Vec<_> = site.hosts.iter().map(Nginx::start).collect();
    let apply = |lists: &Lists| {
        let configuration = lists.configuration(WEB);
        site.keepers.iter().chain(&site.balancers).for_each(|host| drop(host.apply(&configuration)));
    };
    let first = Lists::of(0..3);
    site.attach(&first.configuration(WEB), Some(""));
    let mut downloads = start(&site);
    let second = first.then_of([3, 0, 1, 2], &[]);
    apply(&second);
    servers.iter().for_each(Nginx::reload);
    let old = servers.iter().flat_map(Nginx::workers).filter(|(_, ends)| *ends).count();
    assert!(old >= 2, "{old} processes still serve connections of before");
    downloads.extend(start(&site));
    // The last server leaves, and ends when its connections have.
    let third = second.then_of([1, 3, 0], &[]);
    apply(&third);
    servers[2].quit();
    downloads.extend(start(&site));
    let results: Vec<_> = downloads.into_iter().map(|download| download.join().unwrap()).collect();
    let broken: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(broken.is_empty(), "{} of {}: {broken:?}", broken.len(), results.len());
    assert!(site.outcome("handed_on") > results.len() as u64, "hardly anything was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
    wait(|| servers[2].pid().is_none(), || format!("nginx does not end: {}", servers[2].log()));
}
