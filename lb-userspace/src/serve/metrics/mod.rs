//! One reading → what Prometheus scrapes.
//!
//! Cardinality is bounded: with too many servers their series are left out, with too many services theirs as well.
//! `modlb_omitted` counts them.

mod families;
mod format;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use lb_common::outcome::Outcome;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};

use self::families::Families;
pub use self::format::Format;
use crate::{
    observe::{Reading, agent_view::View, connections::Held},
    output::{OutcomesView, Traffic, error_text},
};

/// By default, metrics of single servers are left out with more servers than this over all services.
pub const DEFAULT_MAX_SERVERS: usize = 10_000;

/// State kept between scrapes.
#[derive(Debug)]
pub struct Metrics {
    max_servers: usize,
    outcomes: OutcomesView,
    held: Held,
}

/// The content of one scrape.
#[derive(Debug)]
pub struct Scrape {
    instance: String,
    reading: Option<Reading>,
    outcomes: OutcomesView,
    view: View,
    took: Duration,
    max_servers: usize,
    held: Held,
}

impl Metrics {
    /// With series for at most this many servers.
    pub fn new(max_servers: usize) -> Self {
        Self { max_servers, outcomes: OutcomesView::default(), held: Held::default() }
    }

    /// The connections that role `keep` holds, for the next scrapes.
    pub fn set_connections(&mut self, held: Held) {
        self.held = held;
    }

    /// Encodes the result of reading an instance, which `took` this long.
    pub fn encode(
        &mut self,
        instance: &str,
        reading: anyhow::Result<Reading>,
        view: View,
        took: Duration,
        format: Format,
    ) -> String {
        if let Err(error) = &reading {
            log::debug!("/metrics: {}", error_text(error));
        }
        let reading = reading.ok();
        if let Some(reading) = &reading {
            self.outcomes = steady(self.outcomes, reading.stats.outcomes);
        }
        let (outcomes, max_servers) = (self.outcomes, self.max_servers);
        let held = Arc::clone(&self.held);
        let scrape = Scrape { instance: instance.to_owned(), reading, outcomes, view, took, max_servers, held };
        let mut registry = Registry::with_prefix("modlb");
        registry.register_collector(Box::new(scrape));
        format.encode(&registry)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut families = Families::new(encoder);
        families.listener(self.reading.is_some(), self.took)?;
        families.agent(&self.view)?;
        let Some(reading) = &self.reading else { return Ok(()) };
        families.instance(&self.instance, reading)?;
        families.outcomes(&self.outcomes)?;
        let (services, servers) = (reading.status.services.len(), reading.servers());
        let (with_services, with_servers) = (services <= self.max_servers, servers <= self.max_servers);
        families.omitted(if with_services { 0 } else { services }, if with_servers { 0 } else { servers })?;
        if with_services {
            families.services(reading)?;
            families.connections(&self.held)?;
            families.taken_last(reading)?;
        }
        if with_servers {
            families.servers(reading)?;
            families.checks(&self.view)?;
        }
        Ok(())
    }
}

/// Outcomes that do not go back slightly.
///
/// Trap: `forwarded` and `others` are differences of counters that are read one after the other, so the next reading
/// may be a few packets lower. Prometheus takes any decrease for a reset and would count everything again. A real reset
/// goes to zero.
fn steady(before: OutcomesView, now: OutcomesView) -> OutcomesView {
    let steady = |before: u64, now: u64| if now < before && now > before / 2 { before } else { now };
    OutcomesView::new(|outcome: Outcome| {
        let (before, now) = (before.get(outcome), now.get(outcome));
        Traffic { packets: steady(before.packets, now.packets), bytes: steady(before.bytes, now.bytes) }
    })
}
