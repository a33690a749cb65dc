//! Numbers the counters of packets that this host was the last to take, one for each service in role `keep`.
//!
//! A service keeps its counter as long as it is configured. Trap: programs that still use the previous half go on
//! counting, so a counter that the active half names is not given to another service.

use std::collections::{HashMap, HashSet};

use crate::{config::model::Service, datapath::store::snapshot::Snapshot};

/// The counters of a new half.
#[derive(Debug)]
pub struct Taken {
    /// For each service, the number of its counter.
    pub numbers: Vec<u32>,
    /// Counters to zero before this is published.
    pub fresh: Vec<u32>,
}

/// Numbers the counters of `services`, of which there are fewer than half of `capacity`, as `have` has.
pub fn number(services: &[Service], have: &Snapshot, capacity: u32) -> Taken {
    let had = have.config.services.iter().zip(&have.services);
    let had: HashMap<_, _> = had.map(|(service, record)| (service.name.as_str(), record.taken)).collect();
    let used: HashSet<_> = had.values().copied().collect();
    let mut free = (0..capacity).filter(|number| !used.contains(number));
    let mut taken = Taken { numbers: Vec::with_capacity(services.len()), fresh: Vec::new() };
    for service in services {
        let kept = had.get(service.name.as_str()).copied();
        let number = kept.or_else(|| free.next().inspect(|number| taken.fresh.push(*number)));
        taken.numbers.push(number.unwrap_or_default());
    }
    taken
}

#[cfg(test)]
mod tests {
    use lb_common::record::ServiceRecord;

    use super::*;
    use crate::{
        config::{model::Config, testing::plain},
        datapath::store::records::service_record,
    };

    fn services(names: &[&str]) -> Vec<Service> {
        names.iter().map(|name| plain(name, "203.0.113.10/32".parse().unwrap())).collect()
    }

    fn in_force(services: &[Service], numbers: &[u32]) -> Snapshot {
        let records = services.iter().zip(numbers);
        let services_now = records.map(|(service, taken)| ServiceRecord { taken: *taken, ..service_record(service) });
        Snapshot {
            config: Config { services: services.to_vec(), ..Config::default() },
            services: services_now.collect(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_service_keeps_its_counter_and_no_other_gets_it_at_once() {
        let (first, second, third) = (services(&["a", "b"]), services(&["c", "b", "d"]), services(&["e", "a"]));
        let taken = number(&first, &Snapshot::default(), 6);
        assert_eq!((&taken.numbers[..], &taken.fresh[..]), (&[0, 1][..], &[0, 1][..]));
        let have = in_force(&first, &taken.numbers);
        // 0 is still a's, and programs may be counting there.
        let taken = number(&second, &have, 6);
        assert_eq!((&taken.numbers[..], &taken.fresh[..]), (&[2, 1, 3][..], &[2, 3][..]));
        let taken = number(&third, &in_force(&second, &taken.numbers), 6);
        assert_eq!((&taken.numbers[..], &taken.fresh[..]), (&[0, 4][..], &[0, 4][..]));
    }

    #[test]
    fn all_services_may_be_replaced_by_as_many_others() {
        let (first, second) = (services(&["a", "b", "c"]), services(&["d", "e", "f"]));
        let taken = number(&first, &Snapshot::default(), 6);
        assert_eq!(number(&second, &in_force(&first, &taken.numbers), 6).numbers, [3, 4, 5]);
    }
}
