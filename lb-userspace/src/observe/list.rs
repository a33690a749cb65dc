//! Which services and servers to show, and in which order: pure. Shared by the page and `modlb top`.

use super::{
    reading::Reading,
    status::{is_out, state},
};
use crate::output::{Rates, ServiceRates, ServiceView};

/// An order of services or servers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// The configuration's.
    #[default]
    Configured,
    /// By name or address.
    Name,
    /// The busiest first.
    Traffic,
    /// The least even service first; the server with the most traffic for its weight first.
    Imbalance,
    /// Services with the most servers down first; servers that are down first.
    Down,
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 5] = [Self::Configured, Self::Name, Self::Traffic, Self::Imbalance, Self::Down];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Name => "name",
            Self::Traffic => "traffic",
            Self::Imbalance => "imbalance",
            Self::Down => "down",
        }
    }

    /// The order of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name() == name)
    }

    /// The next order.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL.into_iter().cycle().skip_while(|order| *order != self).nth(1).unwrap_or_default()
    }
}

/// The indices of the matching services, in order. The filter is in lower case.
pub fn services(reading: &Reading, rates: Option<&Rates>, filter: &str, order: Order) -> Vec<usize> {
    let services = &reading.status.services;
    let mut numbers: Vec<_> = (0..services.len()).filter(|&number| matches(&services[number], filter)).collect();
    let of = |number: usize| rates.and_then(|rates| rates.services.get(number));
    match order {
        Order::Configured => {}
        Order::Name => numbers.sort_by_key(|&number| &services[number].name),
        Order::Traffic => largest(&mut numbers, |number| of(number).map_or(0.0, |rates| rates.total.packets)),
        Order::Imbalance => largest(&mut numbers, |number| {
            of(number).and_then(|rates| rates.imbalance(&services[number].servers)).unwrap_or_default()
        }),
        Order::Down => {
            largest(&mut numbers, |number| {
                services[number].servers.iter().filter(|server| is_out(server)).count() as f64
            });
        }
    }
    numbers
}

/// Matches by name, destination, or a server's address or state.
fn matches(service: &ServiceView, filter: &str) -> bool {
    filter.is_empty()
        || service.name.to_lowercase().contains(filter)
        || service.destination().contains(filter)
        || service.servers.iter().any(|server| state(server) == filter || server.address.to_string().contains(filter))
}

/// The indices of a service's servers that match by address or state, in order.
pub fn servers(service: &ServiceView, rates: Option<&ServiceRates>, filter: &str, order: Order) -> Vec<usize> {
    let servers = &service.servers;
    let matches = |number: &usize| {
        let server = &servers[*number];
        filter.is_empty() || state(server) == filter || server.address.to_string().contains(filter)
    };
    let mut numbers: Vec<_> = (0..servers.len()).filter(matches).collect();
    let packets = |number: usize| rates.and_then(|rates| rates.servers.get(number)).map_or(0.0, |rate| rate.packets);
    match order {
        Order::Configured => {}
        Order::Name => numbers.sort_by_key(|&number| servers[number].address),
        Order::Traffic => largest(&mut numbers, packets),
        Order::Imbalance => largest(&mut numbers, |number| packets(number) / f64::from(servers[number].weight.max(1))),
        Order::Down => largest(&mut numbers, |number| f64::from(u8::from(is_out(&servers[number])))),
    }
    numbers
}

/// Sorts the largest first; equal ones keep their order.
fn largest(numbers: &mut [usize], value: impl Fn(usize) -> f64) {
    let mut valued: Vec<_> = numbers.iter().map(|&number| (value(number), number)).collect();
    valued.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (place, (_, number)) in numbers.iter_mut().zip(valued) {
        *place = number;
    }
}
