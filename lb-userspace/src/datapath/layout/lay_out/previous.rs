//! The lists that services had before.

use std::collections::HashMap;

use super::Layout;
use crate::{
    config::model::Service,
    datapath::store::{records::previous_records, snapshot::Snapshot},
};

impl Layout {
    /// Appends the records of a service's previous lists. Returns the number of the first.
    pub(super) fn add_previous(&mut self, service: &Service) -> u32 {
        let first = self.previous.len() as u32;
        self.previous.extend(previous_records(&service.previous));
        first
    }

    /// Enters since when each service has had its previous lists: as before if they are the same, else since `now`.
    pub fn date_transitions(&mut self, services: &[Service], have: &Snapshot, now: u64) {
        let had = have.config.services.iter().zip(&have.services);
        let had: HashMap<_, _> = had
            .map(|(service, record)| (service.name.as_str(), (&service.previous, record.transition_since)))
            .collect();
        for (service, record) in services.iter().zip(&mut self.services) {
            record.transition_since = match had.get(service.name.as_str()) {
                _ if service.previous.is_empty() => 0,
                Some((previous, since)) if **previous == service.previous => *since,
                Some(_) | None => now,
            };
        }
    }
}
