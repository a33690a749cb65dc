//! Health checks by HTTPS, of servers that show what they were asked.

use std::{
    fs::{self, File},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    need_root,
    process::{Agent, becomes, on_eth0, replace, server},
    support::{
        namespace::{Namespace, run},
        network::{Network, SERVICES, name, server_address},
        wait::wait,
    },
};

pub const PORT: u16 = 8_443;

/// On a busy machine a TLS handshake may take longer than the other tests' checks wait.
fn checked(more: &str) -> String {
    format!(
        "check = {{ kind = \"https\", interval = 3, fall = 1, rise = 1, port = {PORT}, expect = 200, min_up = 0{more} }}"
    )
}

/// A certificate with its key, and the certificate of who signed it.
pub struct Identity {
    directory: tempfile::TempDir,
}

impl Identity {
    /// Of `www.example.org` and these addresses, signed by an authority that is made for it.
    pub fn new(addresses: &[IpAddr]) -> Self {
        let identity = Self { directory: tempfile::tempdir().unwrap() };
        let names: String = addresses.iter().map(|address| format!(",IP:{address}")).collect();
        let text = format!(
            "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = modlb's tests\n\
             [ca]\nbasicConstraints = critical,CA:TRUE\nsubjectKeyIdentifier = hash\n\
             [server]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:www.example.org{names}\n"
        );
        fs::write(identity.file("config"), text).unwrap();
        identity.request("ca", "");
        let ca = format!("-CA {} -CAkey {}", identity.file("ca").display(), identity.file("ca.key").display());
        identity.request("server", &ca);
        identity
    }

    fn request(&self, what: &str, signed_by: &str) {
        let [config, certificate, key] = ["config".to_owned(), what.to_owned(), format!("{what}.key")].map(|name| {
            let path = self.file(&name);
            path.display().to_string()
        });
        let arguments = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config {config} -extensions {what} \
             -out {certificate} -keyout {key} {signed_by}"
        );
        run(Command::new("openssl").args(arguments.split_whitespace()));
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A web server at one address; killed on drop.
pub struct WebServer {
    child: Child,
    log: PathBuf,
}

impl WebServer {
    pub fn new(namespace: &Namespace, address: IpAddr, identity: &Identity) -> Self {
        let log = identity.file(&format!("{address}.log"));
        let to = SocketAddr::new(address, PORT);
        let mut command = namespace.command("openssl");
        command.args(["s_server", "-www", "-msg", "-tlsextdebug", "-accept", &to.to_string()]);
        command.arg("-cert").arg(identity.file("server")).arg("-key").arg(identity.file("server.key"));
        // It complains of connections that only look whether it is there.
        let child = command.stdout(File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, log };
        wait(|| namespace.within(|| TcpStream::connect(to).is_ok()), || format!("{to} does not start"));
        server
    }

    /// The extension `server_name` of each client's hello, byte by byte.
    fn names(&self) -> Vec<Option<Vec<u8>>> {
        let log = String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned();
        // The last one may not be written to its end.
        let mut hellos: Vec<_> = log.split("], ClientHello").skip(1).collect();
        hellos.pop_if(|last| !last.contains("ServerHello"));
        hellos.into_iter().map(extension).collect()
    }
}

/// `openssl` shows the extension as `0000 - 00 12 00 00 0f 77 77 77-2e 65 …   ......www.e`.
fn extension(hello: &str) -> Option<Vec<u8>> {
    let (_, shown) = hello.split_once("TLS client extension \"server name\"")?;
    let lines = shown.lines().skip(1).map_while(|line| line.split_once(" - ").filter(|(at, _)| at.len() == 4));
    let bytes = lines.flat_map(|(_, line)| {
        let hex = line.get(..48).unwrap_or(line).replace('-', " ");
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect::<Vec<_>>()
    });
    Some(bytes.collect())
}

/// RFC 6066, 3: the list's length, a type, the name's length, the name.
fn server_name(name: &str) -> Vec<u8> {
    let length = name.len() as u8;
    [&[0, length + 3, 0, 0, length], name.as_bytes()].concat()
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An agent whose host trusts this authority and no other.
fn agent(network: &Network, file: &Path, authority: &Path) -> Agent {
    let agent = Agent::spawn_with(&network.modlb, file, "", |command, _| {
        command.env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR");
    });
    agent.notifies("READY=1");
    agent
}

/// Verification is by the host's roots and by `sni`, `host` or the address; names are sent, addresses are not.
#[test]
fn a_certificate_is_verified_for_the_name_that_is_sent() {
    need_root!();
    let network = Network::new(1, 1);
    let addresses = [false, true].map(|six| server_address(six, 0));
    let identity = Identity::new(&addresses);
    let namespace = network.server_namespaces().next().unwrap();
    let web_servers = addresses.map(|address| WebServer::new(namespace, address, &identity));
    let text = |more: &str| on_eth0(&network.configuration(1, &checked(&format!(", verify = true{more}"))));
    let (good, bad) = ("www.example.org", "other.example.org");
    let file = network.modlb.file("agent.toml", &text(&format!(", host = \"{bad}\"")));
    let agent = agent(&network, &file, &identity.file("ca"));
    for (more, valid, sent) in [
        (format!(", host = \"{bad}\""), false, Some(bad)),
        (format!(", host = \"{good}\""), true, Some(good)),
        (format!(", host = \"{good}\", sni = \"{bad}\""), false, Some(bad)),
        (format!(", host = \"{bad}\", sni = \"{good}\""), true, Some(good)),
        (", host = \"203.0.113.99\"".to_owned(), false, None),
        // The address of each server is in the certificate.
        (String::new(), true, None),
        (", host = \"[2001:db8::99]:443\"".to_owned(), false, None),
        (format!(", host = \"203.0.113.99\", sni = \"{good}\""), true, Some(good)),
    ] {
        replace(&file, &text(&more));
        for ((service, address), web_server) in SERVICES.map(name).into_iter().zip(addresses).zip(&web_servers) {
            let shown = || server(&network.modlb, service, address);
            let (state, reason) = if valid { ("up", None) } else { ("failing", Some("no TLS connection")) };
            wait(
                || shown()["state"] == state && shown()["reason"].as_str() == reason,
                || format!("{more}: {}\n{}", shown(), agent.log()),
            );
            let sent = sent.map(server_name);
            wait(|| web_server.names().last() == Some(&sent), || format!("{more}: {:?}", web_server.names()));
        }
    }
    // Nothing but these two names was ever sent.
    for web_server in &web_servers {
        let names = web_server.names();
        assert!(names.iter().flatten().all(|sent| [good, bad].map(server_name).contains(sent)), "{names:?}");
    }
}

/// Without an authority in common, verification fails, and says so as TLS does.
#[test]
fn certificates_are_verified_only_when_asked() {
    need_root!();
    let network = Network::new(1, 1);
    let addresses = [false, true].map(|six| server_address(six, 0));
    let (identity, other) = (Identity::new(&addresses), Identity::new(&[]));
    let namespace = network.server_namespaces().next().unwrap();
    let web_servers = addresses.map(|address| WebServer::new(namespace, address, &identity));
    let text = |more: &str| on_eth0(&network.configuration(1, &checked(more)));
    let file = network.modlb.file("agent.toml", &text(""));
    let agent = agent(&network, &file, &other.file("ca"));
    let services = SERVICES.map(name).into_iter().zip(addresses);
    thread::sleep(Duration::from_secs(5));
    for (service, address) in services.clone() {
        assert_eq!(server(&network.modlb, service, address)["state"], "up", "{}", agent.log());
    }
    replace(&file, &text(", host = \"www.example.org\", verify = true"));
    for (service, address) in services.clone() {
        becomes(&network.modlb, service, address, "failing");
        assert_eq!(server(&network.modlb, service, address)["reason"], "no TLS connection");
    }
    replace(&file, &text(", host = \"www.example.org\""));
    for (service, address) in services.clone() {
        becomes(&network.modlb, service, address, "up");
    }
    // Also by TLS, attempts leave no connection behind.
    let waiting = network.gateway.run("ss", "--no-header --tcp --all --numeric state time-wait");
    assert_eq!(waiting, "", "{waiting}");
    drop(web_servers);
    for (service, address) in services {
        becomes(&network.modlb, service, address, "failing");
        assert_eq!(server(&network.modlb, service, address)["reason"], "connection refused");
    }
}

/// `host` names an address that answers; the servers themselves do not.
#[test]
fn an_address_as_host_does_not_answer_for_dead_servers() {
    need_root!();
    const DEAD: u8 = 3;
    let network = Network::new(DEAD + 1, 1);
    let addresses = [false, true].map(|six| server_address(six, DEAD));
    let identity = Identity::new(&addresses);
    let namespace = network.server_namespaces().last().unwrap();
    let web_servers = addresses.map(|address| WebServer::new(namespace, address, &identity));
    let text = |host: &str, verify: bool| {
        on_eth0(&network.configuration(DEAD, &checked(&format!(", host = \"{host}\", verify = {verify}"))))
    };
    let [four, six] = addresses;
    let hosts = [format!("{four}"), format!("{four}:{PORT}"), format!("[{six}]"), format!("[{six}]:{PORT}")];
    let file = network.modlb.file("agent.toml", &text(&hosts[0], false));
    let agent = agent(&network, &file, &identity.file("ca"));
    for host in hosts {
        for verify in [false, true] {
            // Between two of them all are up, as no check holds them down.
            replace(&file, &on_eth0(&network.configuration(DEAD, "")));
            for service in SERVICES {
                for number in 0..DEAD {
                    becomes(&network.modlb, name(service), server_address(service.is_ipv6(), number), "up");
                }
            }
            replace(&file, &text(&host, verify));
            for service in SERVICES {
                for number in 0..DEAD {
                    let address = server_address(service.is_ipv6(), number);
                    becomes(&network.modlb, name(service), address, "failing");
                    let shown = server(&network.modlb, name(service), address);
                    assert_eq!(shown["reason"], "connection refused", "{host}: {shown}\n{}", agent.log());
                }
            }
        }
    }
    // What the host names was left alone.
    for web_server in &web_servers {
        assert_eq!(web_server.names(), []);
    }
}
