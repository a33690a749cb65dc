//! A web server that answers with its name.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};

use super::{family::PORT, namespace::within};
use crate::process::find;

/// Bytes of `/download`, which nginx sends slowly: it takes twelve seconds.
pub const DOWNLOAD_BYTES: usize = 250_000;

/// nginx in a host's namespace; stopped on drop.
pub struct WebServer(Child);

impl WebServer {
    /// Starts it with its own directory for files.
    ///
    /// It ends with this program, even if that is killed.
    pub fn start(host: &str, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("download"), vec![b'.'; DOWNLOAD_BYTES])?;
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration(host, directory))?;
        let nginx = find("nginx").context("nginx is missing")?;
        let log = fs::File::create(directory.join("log"))?;
        let mut web = within(host, "setpriv");
        web.args(["--pdeathsig", "KILL"]).arg(nginx).arg("-e").arg(directory.join("error.log"));
        web.arg("-p").arg(directory).arg("-c").arg(file);
        web.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        web.spawn().context("cannot start nginx").map(Self)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A single process, which one signal ends, and no file outside the directory.
fn configuration(host: &str, directory: &Path) -> String {
    let at = directory.display();
    format!(
        "daemon off;
master_process off;
pid {at}/pid;
lock_file {at}/lock;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    server {{
        listen 0.0.0.0:{PORT};
        listen [::]:{PORT} ipv6only=on;
        location / {{ return 200 \"{host}\\n\"; }}
        location /download {{
            root {at};
            limit_rate 20000;
        }}
    }}
}}
"
    )
}
