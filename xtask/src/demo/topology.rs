//! The network of the demonstration, as a value: dropped, it is gone.
//!
//! ```text
//!                        one Ethernet segment (a bridge)
//!      ┌───────────────┬───────────────┬───────────────┬──────────────┐
//!   client           gateway          s1              s2             s3
//!   12 + 12 clients   modlb           each with the services' addresses on lo
//! ```
//!
//! Trap: `ip netns exec` gives its child a file system for /sys of its own, and pins made there die with it; `nsenter` and
//! modlb's `--netns` do not.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::interrupt;
use crate::process::{capture, root, succeeds};

/// The servers' names.
pub const SERVERS: [&str; 3] = ["s1", "s2", "s3"];

/// Clients in each family.
pub const CLIENTS: usize = 12;

/// The services' port.
pub const PORT: u16 = 80;

const PREFIX: &str = "modlb-demo-";
const SWITCH: &str = "net";
const CLIENT: &str = "client";
const GATEWAY: &str = "gw";
const INSTANCE: &str = "demo";

/// How long a web server may take to start.
const START: Duration = Duration::from_secs(10);

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// That of an address.
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The name of the service.
    pub const fn service(self) -> &'static str {
        match self {
            Self::V4 => "web4",
            Self::V6 => "web6",
        }
    }

    /// The address of the service.
    pub const fn service_address(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x10)),
        }
    }

    /// The address of a client.
    pub fn client(self, number: usize) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(198, 51, 100, 101 + number as u8).into(),
            Self::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 0x101 + number as u16).into(),
        }
    }

    /// The address of a server.
    pub fn server(self, number: usize) -> IpAddr {
        self.host(11 + number as u8)
    }

    /// An address of the segment.
    fn host(self, number: u8) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(10, 77, 0, number).into(),
            Self::V6 => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into()).into(),
        }
    }

    const fn segment_prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    const fn clients_net(self) -> &'static str {
        match self {
            Self::V4 => "198.51.100.0/24",
            Self::V6 => "2001:db8:c::/64",
        }
    }
}

/// The running network.
pub struct Topology {
    modlb: PathBuf,
    directory: PathBuf,
    servers: Vec<Child>,
}

impl Topology {
    /// Builds it, web servers included.
    pub fn build(modlb: &Path) -> Result<Self> {
        let directory = std::env::temp_dir().join("modlb-demo");
        let mut topology = Self { modlb: modlb.to_owned(), directory, servers: Vec::new() };
        // What an earlier demonstration left that was killed.
        topology.remove();
        topology.make_segment()?;
        topology.make_client()?;
        for number in 0..SERVERS.len() {
            topology.make_server(number)?;
        }
        topology.write_configuration()?;
        topology.wait_for_servers()?;
        Ok(topology)
    }

    /// Attaches modlb to the gateway.
    pub fn start(&self) -> Result<()> {
        // A veth takes frames that a native program sends back only if there is a program on its peer, too.
        let name = format!("v-{GATEWAY}");
        self.modlb_in(SWITCH, &["dev", "pass", &name])?;
        let file = self.configuration().display().to_string();
        print!("{}", self.modlb(&["attach", "eth0", "--config", &file, "--mode", "native"])?);
        Ok(())
    }

    /// Runs modlb at the gateway and returns what it prints.
    pub fn modlb(&self, arguments: &[&str]) -> Result<String> {
        self.modlb_in(GATEWAY, arguments)
    }

    /// The same, for JSON.
    pub fn modlb_json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.modlb(arguments)?)?)
    }

    /// Which server `modlb explain` names for a client.
    pub fn explained_server(&self, client: IpAddr) -> Result<usize> {
        let family = Family::of(client);
        let (source, service) = match family {
            Family::V4 => (format!("{client}:40000"), format!("{}:{PORT}", family.service_address())),
            Family::V6 => (format!("[{client}]:40000"), format!("[{}]:{PORT}", family.service_address())),
        };
        let explained = self.modlb_json(&["explain", &source, &service, "--json"])?;
        let server = explained["server"].as_str().with_context(|| format!("explain names no server: {explained}"))?;
        let address: IpAddr = server.parse()?;
        (0..SERVERS.len()).find(|number| family.server(*number) == address).context("explain names an unknown server")
    }

    /// A request with curl from one of the client's addresses: which server answered?
    pub fn curl(&self, client: IpAddr) -> Result<String> {
        let url = match Family::of(client).service_address() {
            IpAddr::V4(address) => format!("http://{address}/"),
            IpAddr::V6(address) => format!("http://[{address}]/"),
        };
        let mut curl = within(CLIENT, "curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "5", "--interface"]);
        let answer = capture(curl.arg(client.to_string()).arg(url))?;
        Ok(answer.trim().to_owned())
    }

    /// The network namespace of the clients.
    pub fn client_namespace(&self) -> PathBuf {
        namespace(CLIENT)
    }

    fn modlb_in(&self, host: &str, arguments: &[&str]) -> Result<String> {
        let name = format!("{PREFIX}{host}");
        let mut modlb = Command::new(&self.modlb);
        modlb.args(["--netns", &name, "--instance", INSTANCE]).args(arguments).process_group(0);
        capture(&mut modlb)
    }

    fn make_segment(&self) -> Result<()> {
        add_namespace(SWITCH)?;
        ip(SWITCH, "link add br0 type bridge")?;
        ip(SWITCH, "link set br0 up")?;
        self.connect(GATEWAY, 1)
    }

    /// Makes a host and plugs it in.
    fn connect(&self, host: &str, number: u8) -> Result<()> {
        interrupt::check()?;
        add_namespace(host)?;
        let mac = format!("02:00:00:00:00:{number:02x}");
        ip(SWITCH, &format!("link add v-{host} type veth peer name eth0 netns {PREFIX}{host} address {mac}"))?;
        ip(SWITCH, &format!("link set v-{host} master br0 up"))?;
        ip(host, "link set eth0 up")?;
        for family in Family::BOTH {
            ip(host, &address_add(family.host(number), family.segment_prefix()))?;
        }
        // A veth leaves checksums to hardware that is not there once XDP hands the frame on.
        capture(within(host, "ethtool").args(["-K", "eth0", "tx", "off"]))?;
        Ok(())
    }

    fn make_client(&self) -> Result<()> {
        self.connect(CLIENT, 2)?;
        for family in Family::BOTH {
            for number in 0..CLIENTS {
                ip(CLIENT, &address_add(family.client(number), family.segment_prefix()))?;
            }
            ip(CLIENT, &format!("route add {} via {}", family.service_address(), family.host(1)))?;
        }
        Ok(())
    }

    fn make_server(&mut self, number: usize) -> Result<()> {
        let host = SERVERS[number];
        self.connect(host, 11 + number as u8)?;
        for family in Family::BOTH {
            ip(host, &format!("route add {} dev eth0", family.clients_net()))?;
        }
        let addresses = Family::BOTH.map(|family| family.service_address().to_string());
        let mut setup = Command::new(root().join("scripts/server-setup.sh"));
        capture(setup.arg("--netns").arg(format!("{PREFIX}{host}")).args(addresses))?;

        let files = self.directory.join(host);
        fs::create_dir_all(&files)?;
        fs::write(files.join("index.html"), format!("{host}\n"))?;
        let mut web = within(host, "python3");
        web.args(["-m", "http.server", &PORT.to_string(), "--bind", "::", "--directory"]).arg(&files);
        web.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.servers.push(web.spawn().context("cannot start a web server with python3")?);
        Ok(())
    }

    fn wait_for_servers(&self) -> Result<()> {
        let start = Instant::now();
        for (number, server) in SERVERS.iter().enumerate() {
            let url = format!("http://{}/", Family::V4.server(number));
            while !succeeds(within(CLIENT, "curl").args(["--noproxy", "*", "--max-time", "1", "--silent", &url])) {
                interrupt::check()?;
                if start.elapsed() > START {
                    bail!("the web server of {server} does not answer");
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("modlb.toml")
    }

    fn write_configuration(&self) -> Result<()> {
        let mut text = String::from("interfaces = [\"eth0\"]\n");
        for family in Family::BOTH {
            let (name, address) = (family.service(), family.service_address());
            text += &format!(
                "\n[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = {PORT}\n"
            );
            for number in 0..SERVERS.len() {
                text += &format!("\n[[service.server]]\naddress = \"{}\"\n", family.server(number));
            }
        }
        fs::write(self.configuration(), text)?;
        Ok(())
    }

    /// Removes everything, whatever there is of it.
    fn remove(&mut self) {
        for mut server in self.servers.drain(..) {
            let _ = server.kill();
            let _ = server.wait();
        }
        let pins = Path::new("/sys/fs/bpf/modlb").join(INSTANCE);
        if pins.exists() {
            let _ = Command::new(&self.modlb).args(["--instance", INSTANCE, "detach"]).process_group(0).output();
        }
        let switch_peer = format!("v-{GATEWAY}");
        if namespace(SWITCH).exists() {
            let _ = self.modlb_in(SWITCH, &["dev", "pass", &switch_peer, "--remove"]);
        }
        for host in [SWITCH, CLIENT, GATEWAY].iter().chain(&SERVERS) {
            if namespace(host).exists() {
                let _ = Command::new("ip").args(["netns", "del", &format!("{PREFIX}{host}")]).process_group(0).status();
            }
            let _ = fs::remove_dir_all(Path::new("/run/modlb-server").join(format!("{PREFIX}{host}")));
        }
        let _ = fs::remove_dir("/run/modlb-server");
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        self.remove();
    }
}

fn namespace(host: &str) -> PathBuf {
    Path::new("/run/netns").join(format!("{PREFIX}{host}"))
}

fn add_namespace(host: &str) -> Result<()> {
    capture(Command::new("ip").args(["netns", "add", &format!("{PREFIX}{host}")]))?;
    ip(host, "link set lo up")
}

/// Runs `ip` in a host's namespace.
fn ip(host: &str, arguments: &str) -> Result<()> {
    let netns = format!("{PREFIX}{host}");
    capture(Command::new("ip").args(["-netns", &netns]).args(arguments.split(' '))).map(drop)
}

/// A program in a host's network namespace, out of reach of the terminal's Ctrl-C.
fn within(host: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace(host).display())).arg("--").arg(program).process_group(0);
    command
}

fn address_add(address: IpAddr, prefix: u8) -> String {
    let nodad = if address.is_ipv6() { " nodad" } else { "" };
    format!("address add {address}/{prefix} dev eth0{nodad}")
}
