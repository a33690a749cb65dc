//! The services and servers that the page shows.

use std::net::IpAddr;

use serde::Serialize;

use super::query::{PageQuery, SERVERS, SERVICES};
use crate::{
    observe::{
        Reading,
        agent_view::{CheckView, View},
        list,
        status::state,
    },
    output::{Rate, Rates, ServiceRates, Traffic},
};

/// A part of a longer list.
#[derive(Debug, Serialize)]
pub struct Rows<T> {
    /// The length of the whole list.
    total: usize,
    /// How many rows match the filter.
    matching: usize,
    /// The index of the first row here among the matching ones.
    offset: usize,
    /// The maximum number of rows here.
    limit: usize,
    /// The largest limit that may be asked for.
    max_limit: usize,
    rows: Vec<T>,
}

/// A service.
#[derive(Debug, Serialize)]
pub struct ServiceRow<'a> {
    name: &'a str,
    destination: String,
    formula: &'static str,
    n: u32,
    slots: u32,
    digest: &'a str,
    up: usize,
    of: usize,
    #[serde(flatten)]
    total: Traffic,
    rate: Option<Rate>,
    imbalance: Option<f64>,
    /// Only for an open service.
    servers: Option<Rows<ServerRow<'a>>>,
}

/// A server.
#[derive(Debug, Serialize)]
pub struct ServerRow<'a> {
    address: IpAddr,
    mac: Option<String>,
    weight: u32,
    state: &'static str,
    reason: Option<&'a str>,
    #[serde(flatten)]
    total: Traffic,
    rate: Option<Rate>,
    check: Option<Check<'a>>,
}

/// A server's health check.
#[derive(Debug, Serialize)]
struct Check<'a> {
    kind: &'static str,
    passing: bool,
    took_ms: f64,
    error: Option<&'a str>,
}

/// One page of the matching services.
pub fn rows<'a>(
    reading: &'a Reading,
    rates: Option<&'a Rates>,
    view: &'a View,
    query: &PageQuery,
) -> Rows<ServiceRow<'a>> {
    let numbers = list::services(reading, rates, &query.filter, query.order);
    let matching = numbers.len();
    // If the list has become shorter, its last page.
    let offset = query.offset.min(matching.saturating_sub(1)) / SERVICES * SERVICES;
    let page = numbers.into_iter().skip(offset).take(SERVICES);
    let rows = page.map(|number| row(reading, rates, view, query, number)).collect();
    Rows { total: reading.status.services.len(), matching, offset, limit: SERVICES, max_limit: SERVICES, rows }
}

fn row<'a>(
    reading: &'a Reading,
    rates: Option<&'a Rates>,
    view: &'a View,
    query: &PageQuery,
    number: usize,
) -> ServiceRow<'a> {
    let service = &reading.status.services[number];
    let rates = rates.and_then(|rates| rates.services.get(number));
    let (up, of) = service.up();
    ServiceRow {
        name: &service.name,
        destination: service.destination(),
        formula: service.formula.name(),
        n: service.n,
        slots: service.slots,
        digest: &service.digest,
        up,
        of,
        total: reading.stats.services[number].total,
        rate: rates.map(|rates| rates.total),
        imbalance: rates.and_then(|rates| rates.imbalance(&service.servers)),
        servers: query.open.contains(&service.name).then(|| servers(reading, rates, view, query, number)),
    }
}

fn servers<'a>(
    reading: &'a Reading,
    rates: Option<&ServiceRates>,
    view: &'a View,
    query: &PageQuery,
    number: usize,
) -> Rows<ServerRow<'a>> {
    let (service, stats) = (&reading.status.services[number], &reading.stats.services[number]);
    let total = service.servers.len();
    let limit = query.servers.unwrap_or(SERVERS.0).min(SERVERS.1);
    let check = |address| view.checks.get(&(service.name.clone(), address)).map(Check::of);
    let servers = service.servers.iter().zip(&stats.servers).enumerate().take(limit);
    let rows = servers.map(|(place, (server, counted))| ServerRow {
        address: server.address,
        mac: server.mac.map(|mac| mac.to_string()),
        weight: server.weight,
        state: state(server),
        reason: server.reason.as_deref(),
        total: counted.total,
        rate: rates.and_then(|rates| rates.servers.get(place)).copied(),
        check: if view.checks.is_empty() { None } else { check(server.address) },
    });
    Rows { total, matching: total, offset: 0, limit, max_limit: SERVERS.1, rows: rows.collect() }
}

impl<'a> Check<'a> {
    fn of(check: &'a CheckView) -> Self {
        let took_ms = check.took.as_secs_f64() * 1_000.0;
        Self { kind: check.kind, passing: check.passing, took_ms, error: check.error.as_deref() }
    }
}
