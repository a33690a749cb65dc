//! The connections that a server with role `keep` or a member of a group holds, and what becomes of packets of others.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use lb_common::{flow::protocol::TCP, outcome::Outcome};

use super::reading::stats;
use crate::{
    config::model::{Role, Service},
    datapath::{Datapath, Location, Snapshot, Totals},
    decide::judge::{Judge, Tuple},
    net::{
        namespaces::within,
        sockets::{TcpState, each_connection},
    },
    output::{
        ConnectionsView, CountedView, LeftView, Rates, ServerConnections, ServiceConnections, StatesView, StatsView,
    },
};

/// Connections and counters at one moment.
#[derive(Clone, Debug)]
pub struct Connections {
    at: Instant,
    snapshot: Snapshot,
    stats: StatsView,
    /// The services to show, by their index.
    shown: Vec<usize>,
    /// For each of them, the connections held here.
    held: Vec<StatesView>,
}

impl Connections {
    /// Reads an instance's services of these names; without any, all that take TCP.
    ///
    /// # Errors
    ///
    /// As for [`Datapath::open`]; the instance has another role; a name is not that of a service that takes TCP; the
    /// network namespace of a service's sockets is not there; the kernel does not list sockets.
    pub fn read(instance: &str, names: &[String]) -> Result<Self> {
        let datapath = Datapath::open(instance)?;
        let totals = datapath.totals()?;
        let Totals { snapshot, .. } = &totals;
        if !matches!(snapshot.config.role, Role::Keep | Role::Member) {
            bail!(
                "instance {instance} has role `{}`: connections are held by servers, and `modlb connections` shows those of a \
                 server with role `keep` or `member`; run it there",
                snapshot.config.role.name()
            );
        }
        let shown = shown(&snapshot.config.services, names)?;
        let all = held(snapshot, &datapath.own_addresses(), &shown)?;
        let held = shown.iter().map(|index| all[*index]).collect();
        Ok(Self { at: Instant::now(), stats: stats(&totals), snapshot: totals.snapshot, shown, held })
    }

    /// The view, with rates since an `earlier` reading.
    pub fn view(&self, earlier: &Self) -> ConnectionsView {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        let rates = Rates::between(&earlier.stats, &self.stats, seconds);
        let mut taken_last = CountedView::default();
        let services = self.shown.iter().zip(&self.held).map(|(&index, states)| {
            let service = &self.snapshot.config.services[index];
            let taken = self.stats.services[index].taken_last.map(|taken| CountedView {
                packets: taken.packets,
                packets_per_second: rates.services[index].taken_last.packets,
            });
            taken_last += taken.unwrap_or_default();
            let servers = service.servers.iter().enumerate().map(|(number, server)| ServerConnections {
                address: server.address,
                here: self.is_here(index, number),
                former: server.is_former(),
                counted: CountedView {
                    packets: self.stats.services[index].servers[number].total.packets,
                    packets_per_second: rates.services[index].servers[number].packets,
                },
            });
            ServiceConnections {
                service: service.name.clone(),
                destination: service.target(),
                held: states.sum(),
                states: *states,
                taken_last: taken,
                servers: servers.collect(),
            }
        });
        let services = services.collect();
        let counted = |outcome| CountedView {
            packets: self.stats.outcomes.get(outcome).packets,
            packets_per_second: rates.outcome(outcome).packets,
        };
        ConnectionsView {
            in_group: self.snapshot.config.role == Role::Member,
            own: self.own(),
            held: self.left(),
            kept: counted(Outcome::Kept),
            taken_last,
            services,
        }
    }

    /// How many connections are left here.
    pub fn left_view(&self) -> LeftView {
        LeftView { own: self.own(), left: self.left() }
    }

    /// How many connections are left here.
    pub fn left(&self) -> u64 {
        self.held.iter().map(StatesView::sum).sum()
    }

    /// The first service to which this host still belongs as a server that takes flows, and its address there.
    pub fn takes_flows(&self) -> Option<(&str, IpAddr)> {
        self.shown.iter().find_map(|&index| {
            let service = &self.snapshot.config.services[index];
            let servers = service.servers.iter().zip(service.takes_flows()).enumerate();
            let mut own = servers
                .filter(|(number, (server, takes))| *takes && !server.is_former() && self.is_here(index, *number));
            own.next().map(|(_, (server, _))| (&*service.name, server.address))
        })
    }

    fn by_name(&self) -> Held {
        let services = self.shown.iter().map(|index| self.snapshot.config.services[*index].name.clone());
        services.zip(self.held.iter().copied()).collect()
    }

    /// The servers of the shown services that this host is.
    fn own(&self) -> Vec<IpAddr> {
        let servers = self.shown.iter().flat_map(|&index| {
            let servers = self.snapshot.config.services[index].servers.iter().enumerate();
            servers.filter(move |(number, _)| self.is_here(index, *number)).map(|(_, server)| server.address)
        });
        servers.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn is_here(&self, service: usize, server: usize) -> bool {
        self.snapshot.locations[service].get(server) == Some(&Location::Local)
    }
}

/// The connections of each service, by its name.
pub type Held = Arc<[(String, StatesView)]>;

/// The last count of connections, for scrapes. Counting walks over all of the kernel's sockets, so it is not done more
/// often than every [`FRESH`], nor for more than a twentieth of the time.
#[derive(Debug, Default)]
pub struct Counted {
    last: Option<(Instant, Duration, Held)>,
}

/// How long a count is used at least.
const FRESH: Duration = Duration::from_secs(5);

/// For how many times as long as it took a count is used at least.
const REST: u32 = 20;

impl Counted {
    /// The connections that an instance with role `keep` or `member` holds. They may be some seconds old.
    pub async fn get(&mut self, instance: &str) -> Held {
        if let Some((at, took, held)) = &self.last
            && at.elapsed() < lasts(*took)
        {
            return Arc::clone(held);
        }
        let (start, instance) = (Instant::now(), instance.to_owned());
        // The new thread inherits this thread's network namespace.
        let read = tokio::task::spawn_blocking(move || Connections::read(&instance, &[]).map(|read| read.by_name()));
        let held = match read.await {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => {
                log::debug!("counting connections: {error:#}");
                Arc::default()
            }
            Err(error) => {
                log::debug!("counting connections: {error}");
                Arc::default()
            }
        };
        self.last = Some((Instant::now(), start.elapsed(), Arc::clone(&held)));
        held
    }
}

/// For how long a count is used that took this long.
fn lasts(took: Duration) -> Duration {
    FRESH.max(took * REST)
}

/// The indices of the services of these names; without any, of all that take TCP.
fn shown(services: &[Service], names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..services.len()).filter(|index| services[*index].takes_tcp()).collect());
    }
    let mut shown = Vec::new();
    for name in names {
        match services.iter().position(|service| service.name == *name) {
            None => bail!("there is no service {name:?}; `modlb services` lists them"),
            Some(index) if !services[index].takes_tcp() => {
                bail!("service {name} ({}) takes no TCP: it has no connections", services[index].target())
            }
            Some(index) if shown.contains(&index) => {}
            Some(index) => shown.push(index),
        }
    }
    Ok(shown)
}

/// Counts this host's connections by service, in each network namespace that has sockets of some. `own`: addresses that
/// no prefix service takes.
fn held(snapshot: &Snapshot, own: &[IpAddr], shown: &[usize]) -> Result<Vec<StatesView>> {
    let services = &snapshot.config.services;
    let netns = |index: usize| services[index].sockets.as_ref().map(|sockets| &sockets.netns);
    let mut held = vec![StatesView::default(); services.len()];
    let mut rest = shown.to_vec();
    while let Some(&first) = rest.first() {
        let there: Vec<_> = rest.extract_if(.., |index| netns(*index) == netns(first)).collect();
        let count = || count(services, own, &there);
        let counted = match netns(first).map(|netns| within(netns.as_str(), count)) {
            None => count()?,
            Some(Ok(counted)) => counted?,
            // Without a server on this host there are no sockets to look for.
            Some(Err(_)) if !there.iter().any(|index| snapshot.locations[*index].contains(&Location::Local)) => {
                continue;
            }
            Some(Err(error)) => bail!("service {}: sockets: {error}", services[first].name),
        };
        for (index, states) in there.into_iter().zip(counted) {
            held[index] = states;
        }
    }
    Ok(held)
}

/// The same for some services, in the network namespace of this thread.
fn count(services: &[Service], own: &[IpAddr], shown: &[usize]) -> Result<Vec<StatesView>> {
    let ports: BTreeSet<_> = shown.iter().map(|index| services[*index].port).collect();
    let port = if ports.len() == 1 { ports.first().copied().flatten() } else { None };
    let judge = Judge::new(services, own);
    let mut known = HashMap::new();
    let mut held = vec![StatesView::default(); shown.len()];
    each_connection(port, |local, state: TcpState| {
        let place = *known.entry(local).or_insert_with(|| {
            let service = service_of(&judge, local)?;
            shown.iter().position(|index| *index == service)
        });
        if let Some(states) = place.and_then(|place| held.get_mut(place)) {
            states.add(state);
        }
    })?;
    Ok(held)
}

/// The service of connections with this local address and port.
fn service_of(judge: &Judge<'_>, local: SocketAddr) -> Option<usize> {
    let tuple = Tuple {
        // No service goes by it.
        source: if local.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() },
        destination: local.ip(),
        source_port: 0,
        destination_port: local.port(),
        protocol: TCP,
        fragment: false,
    };
    judge.service(&tuple).ok().map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::plain;

    fn services() -> Vec<Service> {
        let of = |name: &str, address: &str, protocol, port| Service {
            protocol,
            port,
            ..plain(name, address.parse().unwrap())
        };
        vec![
            of("web", "203.0.113.10/32", Some(TCP), Some(80)),
            of("rest", "203.0.113.10/32", None, None),
            of("dns", "203.0.113.10/32", Some(17), Some(53)),
            of("net", "2001:db8:f00::/48", Some(TCP), None),
        ]
    }

    #[test]
    fn a_socket_belongs_to_the_service_that_takes_its_packets() {
        let (services, own) = (services(), ["2001:db8:f00::11".parse().unwrap()]);
        let judge = Judge::new(&services, &own);
        for (local, expected) in [
            ("203.0.113.10:80", Some(0)),
            ("203.0.113.10:81", Some(1)),
            ("203.0.113.10:53", Some(1)),
            ("[2001:db8:f00::10]:443", Some(3)),
            ("[2001:db8:f00::11]:443", None),
            ("203.0.113.11:80", None),
        ] {
            assert_eq!(service_of(&judge, local.parse().unwrap()), expected, "{local}");
        }
    }

    #[test]
    fn counting_takes_a_twentieth_of_the_time_at_most() {
        assert_eq!(lasts(Duration::from_millis(10)), FRESH);
        assert_eq!(lasts(Duration::from_secs(2)), Duration::from_secs(40));
    }

    #[test]
    fn services_are_named_or_all() {
        let services = services();
        assert_eq!(shown(&services, &[]).unwrap(), [0, 1, 3]);
        assert_eq!(shown(&services, &["net", "web", "net"].map(String::from)).unwrap(), [3, 0]);
        let error = |name: &str| shown(&services, &[name.to_owned()]).unwrap_err().to_string();
        assert!(error("dns").contains("takes no TCP"));
        assert!(error("wbe").contains("\"wbe\"; `modlb services` lists them"));
    }
}
