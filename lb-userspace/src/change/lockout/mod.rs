//! Whether services would take what this host itself lives by: the operator's own connection, and whoever else talks to
//! programs here.
//!
//! Prefix services spare this host's own addresses (see `judge`); one for such an address alone takes it.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr},
    str::SplitWhitespace,
};

use anyhow::{Result, bail};
use lb_common::{
    flow::protocol::{TCP, UDP},
    outcome::Outcome,
};

use self::sockets::{Connection, Sockets};
use crate::{
    config::model::{Config, Role, Service},
    decide::judge::{Judge, Tuple},
    net::{Interface, Net},
};

mod sockets;
#[cfg(test)]
mod tests;

/// Where SSH is, as a rule.
const SSH: u16 = 22;

/// What this host lives by.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its addresses, and the broadcast addresses of its networks.
    pub own: Vec<IpAddr>,
    /// What is connected and what listens.
    pub sockets: Sockets,
    /// The SSH connection by which this command was given.
    pub session: Option<Connection>,
    /// Whether that one comes in by an interface that is attached, and packets are taken.
    pub certain: bool,
}

/// What would be cut off.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Why the operator would be locked out.
    pub refusal: Option<String>,
}

/// Warns of what a configuration would cut off, and refuses to cut the connection by which the command was given.
///
/// # Errors
///
/// It does, and how to do it nevertheless.
pub async fn check(net: &Net, interfaces: &[Interface], have: &Config, want: &Config, standby: bool) -> Result<()> {
    let own = net.own_addresses().await?;
    let session = session().filter(|session| own.contains(&session.here.ip()));
    let mut certain = false;
    if let (Some(session), false) = (session, standby) {
        // One that comes in elsewhere is not met by the program.
        let route = net.route(session.client.ip()).await;
        certain = route.is_ok_and(|route| interfaces.iter().any(|interface| interface.index == route.interface));
    }
    let verdict = judge(have, want, &Host { own, sockets: Sockets::read()?, session, certain });
    verdict.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    match verdict.refusal {
        Some(refusal) => bail!(refusal),
        None => Ok(()),
    }
}

/// What `want` would cut off that `have` does not.
pub fn judge(have: &Config, want: &Config, host: &Host) -> Verdict {
    let mut verdict = Verdict::default();
    // A server that steers sends its own packets by another router, which is what it is for.
    if want.role == Role::Steer {
        return verdict;
    }
    let (before, after) = (Judge::new(&have.services, &host.own), Judge::new(&want.services, &host.own));
    let local = |server: &IpAddr| if want.group.own.is_empty() { &host.own } else { &want.group.own }.contains(server);
    let cut = |connection: &Connection| {
        let service = taker(&after, connection, local)?;
        taker(&before, connection, local).is_none().then_some(service)
    };
    if let Some((session, service)) = host.session.and_then(|session| Some((session, cut(&session)?))) {
        let (client, here) = (session.client, session.here);
        let what =
            format!("service {service} takes the SSH connection by which this command was given, {client} to {here}");
        if host.certain {
            verdict.refusal = Some(format!(
                "{what}: you would be locked out, so nothing was changed. Give the service another address or a port, or say \
                 --force (and with `apply`, --confirm 60, which takes it back unless you can still say `modlb confirm`)"
            ));
        } else {
            verdict.warnings.push(format!("{what}, if it arrives by an attached interface while modlb is active"));
        }
    }
    for connection in host.sockets.connections(SSH).filter(|connection| Some(**connection) != host.session) {
        if let Some(service) = cut(connection) {
            let (client, here) = (connection.client, connection.here);
            verdict.warnings.push(format!("service {service} takes the SSH connection {client} to {here}"));
        }
    }
    // A member has the service's address, and a program that serves it.
    if want.role == Role::Balancer {
        let old: Vec<_> = have.services.iter().map(Service::target).collect();
        let new = want.services.iter().filter(|service| !old.contains(&service.target()));
        verdict.warnings.extend(new.filter_map(|service| own_address(service, host)));
    }
    verdict
}

/// The service that would keep a connection's packets from this host.
fn taker<'a>(judge: &Judge<'a>, connection: &Connection, local: impl Fn(&IpAddr) -> bool) -> Option<&'a str> {
    let (client, here) = (connection.client, connection.here);
    let tuple = Tuple {
        source: client.ip(),
        destination: here.ip(),
        source_port: client.port(),
        destination_port: here.port(),
        protocol: TCP,
        fragment: false,
    };
    let (service, _) = judge.service(&tuple).ok()?;
    let service = &judge.services()[service];
    match judge.server(&tuple) {
        Ok((_, server)) if local(&service.servers[server].address) => None,
        Ok(_) | Err(Outcome::NoServer) => Some(&service.name),
        Err(_) => None,
    }
}

/// What a service for an address of this host's takes from programs here.
fn own_address(service: &Service, host: &Host) -> Option<String> {
    let (name, target, address) = (&service.name, service.target(), service.address.addr());
    if service.is_prefix() {
        if let Some(own) = host.own.iter().find(|own| service.address.contains(*own)) {
            log::info!(
                "service {name}: {target} covers this host's address {own}; prefixes spare what is a host's own now"
            );
        }
        return None;
    }
    if !service.direction.takes_forward() || !host.own.contains(&address) {
        return None;
    }
    match (service.protocol, service.port) {
        (None | Some(TCP | UDP), None) => Some(format!(
            "service {name} takes {target}, an address of this host's, on every port: nothing here will be reached by it, \
             neither SSH nor anything else"
        )),
        (Some(protocol @ (TCP | UDP)), Some(port)) if host.sockets.listens(protocol, address, port) => Some(format!(
            "service {name} takes {target}, an address of this host's, where a program here listens: it will not be reached"
        )),
        (_, _) => None,
    }
}

/// The SSH connection by which this command was given. `sudo` and `su` take it from the environment, but not from that
/// of the shell that they were called in.
fn session() -> Option<Connection> {
    if let Ok(text) = env::var("SSH_CONNECTION") {
        return parse_session(&text);
    }
    let mut process = nix::unistd::getppid().as_raw();
    while process > 1 {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if let Some(found) = variables.find_map(|variable| variable.strip_prefix(b"SSH_CONNECTION=")) {
            return parse_session(&String::from_utf8_lossy(found));
        }
        process = parent(process)?;
    }
    None
}

/// What follows the name in `/proc/PID/stat`, which may have any character in it, is the state and then the parent.
fn parent(process: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Like `198.51.100.7 51234 203.0.113.1 22`.
fn parse_session(text: &str) -> Option<Connection> {
    fn socket(words: &mut SplitWhitespace<'_>) -> Option<SocketAddr> {
        // A link-local address has its interface behind it.
        let address = words.next()?.split('%').next()?.parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(address.to_canonical(), words.next()?.parse().ok()?))
    }
    let mut words = text.split_whitespace();
    Some(Connection { client: socket(&mut words)?, here: socket(&mut words)? })
}
