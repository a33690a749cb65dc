//! The metrics, family by family. A test checks that docs/OBSERVABILITY.md lists them.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lb_common::{abi::ABI, outcome::Outcome};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet},
    metrics::MetricType,
};

use crate::{
    observe::{
        Reading,
        agent_view::{CheckView, View},
        local_error::LocalError,
        status::{STATES, state},
    },
    output::{Activity, FileState, OutcomesView, ServerStats, ServerView, StatesView},
};

/// Writes families.
pub struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    /// Writes to this encoder.
    pub fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// The listener's metrics.
    pub fn listener(&mut self, up: bool, took: Duration) -> fmt::Result {
        self.gauge("up", "Whether the instance runs and can be read", up.into())?;
        let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
        let build = [version, ("abi", ABI.to_string())];
        self.gauges("build_info", "The version of the program that answers; always 1", [(build, 1.0)])?;
        self.gauge("scrape_duration_seconds", "How long it took to read the instance", took.as_secs_f64())
    }

    /// The agent's metrics.
    pub fn agent(&mut self, view: &View) -> fmt::Result {
        self.gauge("agent_up", "1: an agent answers; 0: modlb serve does", view.started.is_some().into())?;
        let Some(started) = view.started else { return Ok(()) };
        self.gauge("agent_start_time_seconds", "When the agent started, in Unix time", unix(started))?;
        self.counter("agent_publications", "Publications by the agent", view.publishes)?;
        self.counter("agent_reloads", "How often the agent reloaded its configuration successfully", view.reloads)?;
        let help = "How often the configuration could not be read or put in force";
        self.counter("agent_reload_failures", help, view.reload_failures)?;
        let help = "Whether the configuration last read was rejected";
        let is = |state| view.not_in_force.as_ref().is_some_and(|found| found.state == state);
        self.gauge("agent_configuration_refused", help, is(FileState::Refused).into())?;
        let help = "1: the configuration file is not in force, since it is refused until it changes, or waits and is tried again";
        let states = FileState::ALL.map(|state| ([("reason", state.name())], f64::from(u8::from(is(state)))));
        self.gauges("agent_file_not_in_force", help, states)?;
        self.gauge("agent_missing_interfaces", "Interfaces that the agent waits for", view.missing as f64)?;
        self.counter("agent_neighbour_events", "Neighbour events that concerned a server", view.neighbour_events)?;
        let errors = LocalError::ALL.into_iter().zip(view.local_errors);
        let errors = errors.map(|(error, number)| ([("reason", error.name())], number));
        let help = "Attempts of health checks that this host could not make; they do not count against servers";
        self.counters("check_local_errors", help, errors)?;
        let help = "How late attempts of health checks started";
        let mut metric = self.encoder.encode_descriptor("check_lateness_seconds", help, None, MetricType::Histogram)?;
        let (sum, count, buckets) = view.lateness.buckets();
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    /// The instance's metrics.
    pub fn instance(&mut self, name: &str, reading: &Reading) -> fmt::Result {
        let status = &reading.status;
        let labels = [("name", name), ("role", &status.role)];
        self.gauges("instance_info", "The instance; always 1", [(labels, 1.0)])?;
        let active = status.state == Activity::Active;
        self.gauge("active", "1: the instance forwards; 0: it is on standby", active.into())?;
        let help = "The digest of everything that decides where packets go, equal on balancers that agree; always 1";
        self.gauges("digest_info", help, [([("digest", &*status.digest)], 1.0)])?;
        self.counter("publications", "Publications since the instance was created", reading.generation)?;
        let interfaces = status.interfaces.iter().map(|interface| {
            let multi_buffer = if interface.multi_buffer { "true" } else { "false" };
            let labels = [
                ("interface", &*interface.name),
                ("mode", &interface.mode),
                ("link", &interface.link),
                ("multi_buffer", multi_buffer),
            ];
            (labels, 1.0)
        });
        self.gauges("interface_info", "Where the instance is attached, and how; always 1", interfaces)?;
        let (capacities, used) = (&reading.capacities, &reading.used);
        let of = |services: u32, slots: u32, servers: u32| {
            [("services", services), ("slots", slots), ("servers", servers)]
                .map(|(resource, number)| ([("resource", resource)], f64::from(number)))
        };
        let help = "How much the instance can hold";
        self.gauges("capacity", help, of(capacities.services, capacities.slots, capacities.servers))?;
        self.gauges("in_use", "How much the instance holds", of(used.services, used.slots, used.servers))?;
        let capacity = &status.capacity;
        self.gauge("memory_bytes", "The memory that the instance's tables take", capacity.memory_bytes as f64)?;
        let help = "Tables with a server down have at least this many slots; fewer than 4096 for want of room";
        self.gauge("refined_slots", help, capacity.refined_slots.into())?;
        let help = "Servers whose state is not in force for want of room";
        self.gauge("left_out_servers", help, capacity.left_out.into())
    }

    /// The outcomes.
    pub fn outcomes(&mut self, outcomes: &OutcomesView) -> fmt::Result {
        let labels = |outcome: &Outcome| [("outcome", outcome.name())];
        let packets = Outcome::ALL.iter().map(|outcome| (labels(outcome), outcomes.get(*outcome).packets));
        self.counters("outcome_packets", "Packets by outcome", packets)?;
        let bytes = Outcome::ALL.iter().map(|outcome| (labels(outcome), outcomes.get(*outcome).bytes));
        self.counters("outcome_bytes", "Bytes by outcome", bytes)
    }

    /// How many series are left out.
    pub fn omitted(&mut self, services: usize, servers: usize) -> fmt::Result {
        let of = |kind, number| ([("of", kind)], number as f64);
        let help = "Services and servers without series of their own, because there are too many";
        self.gauges("omitted", help, [of("services", services), of("servers", servers)])
    }

    /// The services.
    pub fn services(&mut self, reading: &Reading) -> fmt::Result {
        let services = &reading.status.services;
        let info = services.iter().map(|service| {
            let labels = [
                ("service", service.name.clone()),
                ("destination", service.destination()),
                ("formula", service.formula.name().to_owned()),
                ("digest", service.digest.clone()),
            ];
            (labels, 1.0)
        });
        self.gauges("service_info", "What a service takes, and the digest of its table; always 1", info)?;
        let stats = &reading.stats.services;
        let packets = stats.iter().map(|service| ([("service", &*service.name)], service.total.packets));
        self.counters(
            "service_packets",
            "Packets of a service that went to a server; role `keep`: that were found here or handed on",
            packets,
        )?;
        let bytes = stats.iter().map(|service| ([("service", &*service.name)], service.total.bytes));
        self.counters(
            "service_bytes",
            "Bytes of a service that went to a server; role `keep`: that were found here or handed on",
            bytes,
        )?;
        let states = services.iter().flat_map(|service| {
            STATES.iter().map(|&state| {
                let number = service.servers.iter().filter(|server| self::state(server) == state).count();
                ([("service", &*service.name), ("state", state)], number as f64)
            })
        });
        self.gauges("service_servers", "Servers of a service by state", states)
    }

    /// The connections that a server with role `keep` or a member holds; other roles have no such family.
    pub fn connections(&mut self, held: &[(String, StatesView)]) -> fmt::Result {
        if held.is_empty() {
            return Ok(());
        }
        let states = held.iter().flat_map(|(service, states)| {
            states
                .iter()
                .map(move |(state, number)| ([("service", &**service), ("state", state.name())], number as f64))
        });
        let help =
            "Roles `keep` and `member`: connections of a service that this host holds, by state; some seconds old";
        self.gauges("connections", help, states)
    }

    /// Packets that a server with role `keep` was the last to take; other roles have no such family.
    pub fn taken_last(&mut self, reading: &Reading) -> fmt::Result {
        let services = reading.stats.services.iter();
        let mut taken = services.filter_map(|it| Some(([("service", &*it.name)], it.taken_last?.packets))).peekable();
        if taken.peek().is_none() {
            return Ok(());
        }
        let help = "Role `keep`: packets of connections that no server of a service has, and that this host was asked for last";
        self.counters("service_taken_last_packets", help, taken)
    }

    /// The servers.
    pub fn servers(&mut self, reading: &Reading) -> fmt::Result {
        let packets = counted(reading).map(|(service, server)| (labels(service, server.address), server.total.packets));
        let help = "Packets that went to a server; role `keep`: handed on to it, or of connections found here if it is this host";
        self.counters("server_packets", help, packets)?;
        let bytes = counted(reading).map(|(service, server)| (labels(service, server.address), server.total.bytes));
        self.counters("server_bytes", "Bytes of those packets", bytes)?;
        let states = shown(reading).map(|(service, server)| {
            let [service, address] = labels(service, server.address);
            ([service, address, ("state", state(server).to_owned())], 1.0)
        });
        self.gauges("server_state", "The current state of a server; always 1", states)?;
        let by_hand = shown(reading).filter_map(|(service, server)| {
            let [service, address] = labels(service, server.address);
            Some(([service, address, ("until", server.by_hand?.to_owned())], 1.0))
        });
        let help = "A server that was taken down by command, and what ends that; always 1";
        self.gauges("server_down_by_hand", help, by_hand)?;
        let weights = shown(reading)
            .filter(|(_, server)| !server.is_former())
            .map(|(service, server)| (labels(service, server.address), f64::from(server.weight)));
        self.gauges("server_weight", "How many consecutive slots a server takes", weights)
    }

    /// The health checks.
    pub fn checks(&mut self, view: &View) -> fmt::Result {
        fn each<V>(view: &View, value: impl Fn(&CheckView) -> V) -> impl Iterator<Item = ([(&str, String); 2], V)> {
            view.checks.iter().map(move |((service, address), check)| (labels(service, *address), value(check)))
        }
        let passing = view.checks.iter().map(|((service, address), check)| {
            let [service, address] = labels(service, *address);
            ([service, address, ("kind", check.kind.to_owned())], f64::from(u8::from(check.passing)))
        });
        self.gauges("check_passing", "Whether a server passes its health check, after rise and fall", passing)?;
        self.counters("check_attempts", "Attempts of a health check", each(view, |check| check.attempts))?;
        self.counters("check_failures", "Attempts of a health check that failed", each(view, |check| check.failures))?;
        let took = each(view, |check| check.took.as_secs_f64());
        self.gauges("check_duration_seconds", "How long the last attempt of a health check took", took)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        series.into_iter().try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        series.into_iter().try_for_each(|(labels, value)| {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }
}

fn labels(service: &str, server: IpAddr) -> [(&'static str, String); 2] {
    [("service", service.to_owned()), ("server", server.to_string())]
}

fn counted(reading: &Reading) -> impl Iterator<Item = (&str, &ServerStats)> {
    let services = reading.stats.services.iter();
    services.flat_map(|service| service.servers.iter().map(|server| (&*service.name, server)))
}

fn shown(reading: &Reading) -> impl Iterator<Item = (&str, &ServerView)> {
    let services = reading.status.services.iter();
    services.flat_map(|service| service.servers.iter().map(|server| (&*service.name, server)))
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
