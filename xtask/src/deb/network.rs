//! A client and a server beside the machine.
//!
//! ```text
//!              br0 in `net`
//!    ┌──────────────┬──────────────┐
//!  client        the machine     server, with the services' addresses on lo
//!  10.0.0.2      10.0.0.1        10.0.0.11
//! ```

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::process::{capture, succeeds};

const SWITCH: &str = "net";
pub const CLIENT: &str = "client";
pub const SERVER: &str = "server";

/// The segment's end of the machine's cable.
const PORT: &str = "v-machine";

/// The services.
pub const SERVICES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x10))];

/// Their port.
pub const UDP_PORT: u16 = 9_000;

/// The network; dropped, it is gone.
#[derive(Debug)]
pub struct Network {
    modlb: PathBuf,
}

impl Network {
    /// Builds it around the machine that this process is in. `modlb` is for the cable's other end: a veth takes what a
    /// native program sends back only if there is a program, too.
    pub fn around(machine: u32, modlb: &Path) -> Result<Self> {
        let network = Self { modlb: modlb.to_owned() };
        // What an earlier one left that was killed.
        network.remove();
        add(SWITCH)?;
        ip(&["-netns", &name(SWITCH), "link", "add", "br0", "up", "type", "bridge"])?;
        connect(PORT, &machine.to_string(), 1)?;
        for (host, number) in [(CLIENT, 2), (SERVER, 11)] {
            add(host)?;
            connect(&format!("v-{host}"), &name(host), number)?;
        }
        for service in SERVICES {
            let (via, prefix, nodad) =
                if service.is_ipv4() { ("10.0.0.1", 32, "noprefixroute") } else { ("fd00::1", 128, "nodad") };
            ip(&["-netns", &name(CLIENT), "route", "add", &service.to_string(), "via", via])?;
            ip(&["-netns", &name(SERVER), "addr", "add", &format!("{service}/{prefix}"), "dev", "lo", nodad])?;
        }
        network.pass(&[])?;
        Ok(network)
    }

    /// What makes the machine a balancer for it.
    pub fn configuration() -> String {
        let mut text = "interfaces = [\"eth0\"]\n".to_owned();
        for (service, server) in SERVICES.iter().zip(["10.0.0.11", "fd00::11"]) {
            let name = if service.is_ipv4() { "udp4" } else { "udp6" };
            text += &format!(
                "\n[[service]]\nname = \"{name}\"\naddress = \"{service}\"\nprotocol = \"udp\"\nport = {UDP_PORT}\n\n\
                 [[service.server]]\naddress = \"{server}\"\n"
            );
        }
        text
    }

    fn pass(&self, more: &[&str]) -> Result<()> {
        let mut pass = Command::new(&self.modlb);
        pass.args(["--netns", &name(SWITCH), "dev", "pass", PORT]).args(more).process_group(0);
        capture(&mut pass).map(drop)
    }

    fn remove(&self) {
        if Path::new("/run/netns").join(name(SWITCH)).exists() {
            let _ = self.pass(&["--remove"]);
        }
        for host in [SWITCH, CLIENT, SERVER] {
            succeeds(Command::new("ip").args(["netns", "del", &name(host)]).process_group(0));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

pub fn name(host: &str) -> String {
    format!("modlb-deb-{host}")
}

fn ip(arguments: &[&str]) -> Result<()> {
    capture(Command::new("ip").args(arguments).process_group(0)).map(drop)
}

fn add(host: &str) -> Result<()> {
    ip(&["netns", "add", &name(host)])?;
    ip(&["-netns", &name(host), "link", "set", "lo", "up"])
}

/// Lays a cable from the segment to a host: an interface `eth0` there. `netns` is a name or the number of a process.
fn connect(port: &str, netns: &str, number: u8) -> Result<()> {
    let segment = name(SWITCH);
    ip(&["-netns", &segment, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns])?;
    ip(&["-netns", &segment, "link", "set", port, "master", "br0", "up"])?;
    // Trap: until duplicate address detection is through with a link-local address, nobody can be asked from it.
    let commands = format!(
        "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad && ip link set eth0 up && ethtool -K eth0 tx off && \
         ip addr add 10.0.0.{number}/24 dev eth0 && ip addr add fd00::{number}/64 dev eth0 nodad"
    );
    let mut enter = Command::new("nsenter");
    if netns.parse::<u32>().is_ok() {
        enter.args(["--target", netns, "--net"]);
    } else {
        enter.arg(format!("--net=/run/netns/{netns}"));
    }
    capture(enter.args(["--", "sh", "-euc", &commands]).process_group(0)).map(drop)
}
