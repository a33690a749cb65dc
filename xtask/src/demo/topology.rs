//! The network of the demonstration, removed on drop.
//!
//! ```text
//!                        one Ethernet segment (a bridge)
//!      ┌───────────────┬───────────────┬───────────────┬──────────────┐
//!   client           gateway          s1              s2             s3
//!   12 + 12 clients   modlb           each with the services' addresses on lo
//! ```

use std::{
    fs,
    net::IpAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    family::{Family, PORT, SERVERS, endpoint, mac, server_host},
    gateway::{GATEWAY, Gateway, configuration},
    namespace::{self, ip, within},
    place::{self, Claim, DIRECTORY},
    web::WebServer,
};
use crate::{
    interrupt,
    process::{capture, root, succeeds},
};

pub const SWITCH: &str = "net";
pub const CLIENT: &str = "client";

/// The gateway's number on the segment, and the client's.
const GATEWAY_HOST: u8 = 1;
const CLIENT_HOST: u8 = 2;

/// How long a web server may take to start.
const START: Duration = Duration::from_secs(10);

/// The running network.
pub struct Topology {
    /// modlb at the gateway.
    pub gateway: Gateway,
    servers: Vec<WebServer>,
    _claim: Claim,
}

impl Topology {
    /// Builds it, including web servers.
    pub fn build(modlb: &Path) -> Result<Self> {
        let claim = Claim::take()?;
        let mut topology = Self { gateway: Gateway::new(modlb), servers: Vec::new(), _claim: claim };
        // An earlier demonstration that was killed may have left something.
        topology.remove();
        fs::create_dir_all(DIRECTORY)?;
        make_segment()?;
        make_client(by_gateway(GATEWAY_HOST))?;
        for number in 0..SERVERS.len() {
            topology.servers.push(make_server(number)?);
        }
        wait_for_servers()?;
        Ok(topology)
    }

    /// Attaches modlb to the gateway's interface and returns its output.
    pub fn attach(&self) -> Result<String> {
        // A veth takes frames that a native program sends back only if its peer has a program as well.
        self.gateway.modlb_in(SWITCH, &["dev", "pass", &port(GATEWAY)])?;
        let file = Path::new(DIRECTORY).join("modlb.toml");
        fs::write(&file, configuration())?;
        self.gateway.modlb(&["attach", "eth0", "--config", &file.display().to_string(), "--mode", "native"])
    }

    /// Removes everything, also if it is incomplete.
    fn remove(&mut self) {
        self.servers.clear();
        self.gateway.clean_up();
        if namespace::path(SWITCH).exists() {
            let _ = self.gateway.modlb_in(SWITCH, &["dev", "pass", &port(GATEWAY), "--remove"]);
        }
        place::remove([SWITCH, CLIENT, GATEWAY].iter().chain(&SERVERS));
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The network namespace of the clients.
pub fn client_namespace() -> PathBuf {
    namespace::path(CLIENT)
}

/// Makes a request with curl from one of the client's addresses; returns the server that answered.
pub fn curl(client: IpAddr) -> Result<String> {
    let url = format!("http://{}/", endpoint(Family::of(client).service_address(), PORT));
    let mut curl = within(CLIENT, "curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "5", "--interface"]);
    let answer = capture(curl.arg(client.to_string()).arg(url))?;
    Ok(answer.trim().to_owned())
}

/// The switch's port for a host.
pub fn port(host: &str) -> String {
    format!("v-{host}")
}

/// The segment, without hosts.
pub fn make_switch() -> Result<()> {
    namespace::add(SWITCH)?;
    ip(SWITCH, "link add br0 type bridge")?;
    ip(SWITCH, "link set br0 up")
}

fn make_segment() -> Result<()> {
    make_switch()?;
    connect(GATEWAY, GATEWAY_HOST)
}

/// Makes a host and plugs it in.
///
/// Trap: duplicate address detection takes a second or two; until then a host cannot ask for its neighbours' MACs, and
/// a server's answer waits. No address here is duplicate.
pub fn connect(host: &str, number: u8) -> Result<()> {
    interrupt::check()?;
    namespace::add(host)?;
    let (port, peer, mac) = (port(host), namespace::name(host), mac(number));
    ip(SWITCH, &format!("link add {port} type veth peer name eth0 netns {peer} address {mac}"))?;
    ip(SWITCH, &format!("link set {port} master br0 up"))?;
    capture(within(host, "sh").args(["-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad"]))?;
    ip(host, "link set eth0 up")?;
    for family in Family::BOTH {
        ip(host, &address_add(family.host(number), family.prefix()))?;
    }
    // A veth leaves checksums to hardware, and frames that XDP forwards never meet any.
    capture(within(host, "ethtool").args(["-K", "eth0", "tx", "off"]))?;
    Ok(())
}

/// The route to a family's service by the host with this number.
pub fn by_gateway(number: u8) -> impl Fn(Family) -> String {
    move |family| format!("via {}", family.host(number))
}

/// The clients, and their route to each service.
pub fn make_client(way: impl Fn(Family) -> String) -> Result<()> {
    connect(CLIENT, CLIENT_HOST)?;
    for family in Family::BOTH {
        for client in family.clients() {
            ip(CLIENT, &address_add(client, family.prefix()))?;
        }
        ip(CLIENT, &format!("route add {} {}", family.service_address(), way(family)))?;
    }
    Ok(())
}

/// A server with the address of both services.
pub fn make_server(number: usize) -> Result<WebServer> {
    make_server_with(SERVERS[number], number, &Family::BOTH.map(Family::service_address))
}

/// The same with any name and services' addresses.
pub fn make_server_with(host: &str, number: usize, addresses: &[IpAddr]) -> Result<WebServer> {
    connect(host, server_host(number))?;
    for family in Family::BOTH {
        ip(host, &format!("route add {} dev eth0", family.clients_net()))?;
    }
    let addresses = addresses.iter().map(ToString::to_string);
    let mut setup = Command::new(root().join("scripts/server-setup.sh"));
    capture(setup.arg("--netns").arg(namespace::name(host)).args(addresses).process_group(0))?;
    WebServer::start(host, &Path::new(DIRECTORY).join(host))
}

pub fn wait_for_servers() -> Result<()> {
    wait_for(&SERVERS)
}

/// Waits until the web servers of these hosts answer.
pub fn wait_for(servers: &[&str]) -> Result<()> {
    let start = Instant::now();
    for (number, server) in servers.iter().enumerate() {
        for family in Family::BOTH {
            while !answers(family.server(number)) {
                interrupt::check()?;
                let log = Path::new(DIRECTORY).join(server).join("log");
                let log = || fs::read_to_string(&log).unwrap_or_default();
                ensure!(start.elapsed() < START, "the web server of {server} does not answer. {}", log());
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

fn answers(server: IpAddr) -> bool {
    let url = format!("http://{}/", endpoint(server, PORT));
    succeeds(within(CLIENT, "curl").args(["--noproxy", "*", "--max-time", "1", "--silent", &url]))
}

pub fn address_add(address: IpAddr, prefix: u8) -> String {
    let nodad = if address.is_ipv6() { " nodad" } else { "" };
    format!("address add {address}/{prefix} dev eth0{nodad}")
}
