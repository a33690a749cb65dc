//! Chooses what to publish of findings that do not all fit: those that save most flows first. No lack of room is a
//! reason to publish nothing.

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr};

use anyhow::Result;

use crate::{
    config::model::Server,
    datapath::{Error, Placed, Snapshot, Totals, Writer},
};

/// How often a choice is tried before the rest is left for the next time.
const TRIES: usize = 256;

/// What fits.
#[derive(Debug)]
pub struct Fitted {
    /// The configuration in force, with the findings for which there is room.
    pub placed: Placed,
    /// The servers whose findings are left out, by service.
    pub left_out: Vec<(String, IpAddr)>,
}

/// Chooses what fits of `want`, which differs from what is in force only in findings and locations of servers.
///
/// # Errors
///
/// Those of [`Writer::fits`], except that slots do not suffice.
pub fn fit(writer: &Writer, have: &Snapshot, want: Placed) -> Result<Fitted> {
    match writer.fits(have, &want) {
        Ok(()) => return Ok(Fitted { placed: want, left_out: Vec::new() }),
        Err(Error::Capacity { what: "slots", .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let groups = groups(have, &want, &writer.totals()?);
    let (config, locations) = (have.config.clone(), have.locations.clone());
    let mut choice = Choice {
        fits: |placed: &Placed| writer.fits(have, placed).is_ok(),
        placed: Placed::new(config, locations, want.own.clone()),
        tries: TRIES,
    };
    let mut left_out: Vec<_> = choice.take_all(&want, &groups).into_iter().map(|place| place.name(&want)).collect();
    left_out.sort_unstable();
    Ok(Fitted { placed: choice.placed, left_out })
}

/// A server of a service, by indices.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    service: usize,
    server: usize,
}

impl Place {
    fn name(self, placed: &Placed) -> (String, IpAddr) {
        let service = &placed.config.services[self.service];
        (service.name.clone(), service.servers[self.server].address)
    }
}

/// What has been chosen so far.
struct Choice<F> {
    fits: F,
    placed: Placed,
    tries: usize,
}

impl<F: Fn(&Placed) -> bool> Choice<F> {
    /// Takes over what fits, group by group. Returns the rest.
    fn take_all(&mut self, want: &Placed, groups: &[Vec<Place>]) -> Vec<Place> {
        let left: Vec<Vec<Place>> = groups.iter().map(|group| self.take(want, group)).collect();
        // Later changes may have made room for earlier ones: services with the same table again.
        left.iter().flat_map(|group| self.take(want, group)).collect()
    }

    /// Takes over as many of these servers as fit. Returns the others.
    fn take(&mut self, want: &Placed, places: &[Place]) -> Vec<Place> {
        if places.is_empty() || self.tries == 0 {
            return places.to_vec();
        }
        self.tries -= 1;
        let before: Vec<_> = places.iter().map(|place| self.server(*place).clone()).collect();
        let found: Vec<_> = places.iter().map(|place| self.placed.locations[place.service][place.server]).collect();
        for place in places {
            *self.server(*place) = want.config.services[place.service].servers[place.server].clone();
            self.placed.locations[place.service][place.server] = want.locations[place.service][place.server];
        }
        if (self.fits)(&self.placed) {
            return Vec::new();
        }
        for ((place, server), location) in places.iter().zip(before).zip(found) {
            *self.server(*place) = server;
            self.placed.locations[place.service][place.server] = location;
        }
        if let [_] = places {
            return places.to_vec();
        }
        let (first, second) = places.split_at(places.len() / 2);
        [self.take(want, first), self.take(want, second)].concat()
    }

    fn server(&mut self, place: Place) -> &mut Server {
        &mut self.placed.config.services[place.service].servers[place.server]
    }
}

/// The servers that change, those with one address together, as services that share a server often share a table.
/// Those come first that have counted most packets, then those that take most slots of their services.
fn groups(have: &Snapshot, want: &Placed, totals: &Totals) -> Vec<Vec<Place>> {
    let mut groups: BTreeMap<IpAddr, (u64, u64, Vec<Place>)> = BTreeMap::new();
    for (index, (before, after)) in have.config.services.iter().zip(&want.config.services).enumerate() {
        let took = before.takes_flows();
        for (number, (was, is)) in before.servers.iter().zip(&after.servers).enumerate() {
            if was == is && have.locations[index][number] == want.locations[index][number] {
                continue;
            }
            let (packets, weight, places) = groups.entry(is.address).or_default();
            // Its flows go astray as long as this is not published.
            if took[number] {
                let counted = totals.services.get(index).and_then(|service| service.servers.get(number));
                *packets += counted.map_or(0, |counter| counter.packets);
                *weight += u64::from(is.weight);
            }
            places.push(Place { service: index, server: number });
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(packets, weight, places)| (Reverse(*packets), Reverse(*weight), places.first().copied()));
    groups.into_iter().map(|(_, _, places)| places).collect()
}

#[cfg(test)]
mod tests;
