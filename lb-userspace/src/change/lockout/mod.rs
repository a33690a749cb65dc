//! Checks whether services would take traffic that this host depends on: the operator's own connection, and traffic to
//! programs here.
//!
//! Prefix services do not take this host's own addresses (see `decide::judge`). A service for exactly such an address
//! does.

use std::{
    collections::HashSet,
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

/// The usual port of SSH.
const SSH: u16 = 22;

/// What this host depends on.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// Its addresses, and the broadcast addresses of its networks.
    pub own: Vec<IpAddr>,
    /// Established connections and listening sockets.
    pub sockets: Sockets,
    /// The SSH connection that this command is run over.
    pub session: Option<Connection>,
    /// Whether its packets are known to meet the program: they come in on an attached interface, and modlb is active.
    pub exposed: bool,
}

/// Warnings and a refusal.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// Other traffic that would be cut off.
    pub warnings: Vec<String>,
    /// Why the operator would be locked out.
    pub refusal: Option<String>,
}

/// Warns about traffic that a configuration would cut off, and refuses to cut the connection that the command is run
/// over.
///
/// # Errors
///
/// The refusal, and how to override it.
pub async fn check(net: &Net, interfaces: &[Interface], have: &Config, want: &Config, standby: bool) -> Result<()> {
    let own = net.own_addresses().await?;
    let session = session().filter(|session| own.contains(&session.here.ip()));
    let mut exposed = false;
    if let (Some(session), false) = (session, standby) {
        // On another interface it does not meet the program.
        let route = net.route(session.client.ip()).await;
        exposed = route.is_ok_and(|route| interfaces.iter().any(|interface| interface.index == route.interface));
    }
    let verdict = assess(have, want, &HostFacts { own, sockets: Sockets::read()?, session, exposed });
    verdict.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    match verdict.refusal {
        Some(refusal) => bail!(refusal),
        None => Ok(()),
    }
}

/// Finds what `want` would cut off and `have` does not.
pub fn assess(have: &Config, want: &Config, host: &HostFacts) -> Verdict {
    let mut verdict = Verdict::default();
    // Role steer only redirects what this host sends, and role keep what it does not hold: connections of this host
    // are none of either.
    if !want.role.runs_xdp() {
        return verdict;
    }
    let (before, after) = (Judge::new(&have.services, &host.own), Judge::new(&want.services, &host.own));
    let local = |server: &IpAddr| if want.group.own.is_empty() { &host.own } else { &want.group.own }.contains(server);
    let cut = |connection: &Connection| {
        let service = taking_service(&after, connection, local)?;
        taking_service(&before, connection, local).is_none().then_some(service)
    };
    if let Some((session, service)) = host.session.and_then(|session| Some((session, cut(&session)?))) {
        let (client, here) = (session.client, session.here);
        let what =
            format!("service {service} takes the SSH connection that this command is run over, {client} to {here}");
        if host.exposed {
            verdict.refusal = Some(format!(
                "{what}: you would be locked out, so nothing was changed. Give the service another address or a port, or use \
                 --force (and with `apply`, --confirm 60, which rolls it back unless you can still run `modlb confirm`)"
            ));
        } else {
            verdict.warnings.push(format!("{what}, if it arrives on an attached interface while modlb is active"));
        }
    }
    for connection in host.sockets.connections(SSH).filter(|connection| Some(**connection) != host.session) {
        if let Some(service) = cut(connection) {
            let (client, here) = (connection.client, connection.here);
            verdict.warnings.push(format!("service {service} takes the SSH connection {client} to {here}"));
        }
    }
    // A member is meant to have the service's address, and a program that listens on it.
    if want.role == Role::Balancer {
        let old: HashSet<_> = have.services.iter().map(Service::target).collect();
        let new = want.services.iter().filter(|service| !old.contains(&service.target()));
        verdict.warnings.extend(new.filter_map(|service| own_address(service, host)));
    }
    verdict
}

/// The service that would keep a connection's packets from this host.
fn taking_service<'a>(judge: &Judge<'a>, connection: &Connection, local: impl Fn(&IpAddr) -> bool) -> Option<&'a str> {
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
    match judge.server(&tuple, None) {
        Ok((_, server)) if local(&service.servers[server].address) => None,
        Ok(_) | Err(Outcome::NoServer) => Some(&service.name),
        Err(_) => None,
    }
}

/// Warns if a service takes an address of this host from programs here.
fn own_address(service: &Service, host: &HostFacts) -> Option<String> {
    let (name, target, address) = (&service.name, service.target(), service.address.addr());
    if service.is_prefix() {
        if let Some(own) = host.own.iter().find(|own| service.address.contains(*own)) {
            log::info!(
                "service {name}: {target} covers this host's address {own}, which a prefix service does not take"
            );
        }
        return None;
    }
    if !service.direction.takes_forward() || !host.own.contains(&address) {
        return None;
    }
    match (service.protocol, service.port) {
        (None | Some(TCP | UDP), None) => Some(format!(
            "service {name} takes {target}, an address of this host, on every port: no program here, not even SSH, will be \
             reachable by it"
        )),
        (Some(protocol @ (TCP | UDP)), Some(port)) if host.sockets.listens(protocol, address, port) => Some(format!(
            "service {name} takes {target}, an address of this host where a program here listens: it will be unreachable"
        )),
        (_, _) => None,
    }
}

/// The SSH connection that this command is run over. `sudo` and `su` clear the variable for this command, but not for
/// the shell that started them.
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

/// In `/proc/PID/stat`, state and parent follow the name, which may contain any character.
fn parent(process: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Parses text such as `198.51.100.7 51234 203.0.113.1 22`.
fn parse_session(text: &str) -> Option<Connection> {
    fn socket(words: &mut SplitWhitespace<'_>) -> Option<SocketAddr> {
        // An interface follows a link-local address.
        let address = words.next()?.split('%').next()?.parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(address.to_canonical(), words.next()?.parse().ok()?))
    }
    let mut words = text.split_whitespace();
    Some(Connection { client: socket(&mut words)?, here: socket(&mut words)? })
}
