//! The lists that services had before.

use super::*;
use crate::config::model::PreviousServer;

fn list(hosts: u16) -> Vec<PreviousServer> {
    let server =
        |host| PreviousServer { address: [0xfd99, 0, 0, 0, 0, 0, 0, host].into(), mac: None, weight: 1, idle: false };
    (0..hosts).map(server).collect()
}

proptest! {
    #[test]
    fn each_service_has_its_lists(config in testing::config()) {
        let previous = config.services.iter().map(Service::previous_servers).sum::<u64>() as u32;
        let placed = placed(config);
        // They have as much room as the servers.
        let capacities = Capacities { servers: previous.max(30), ..CAPACITIES };
        let layout = lay_out(&placed, &Snapshot::default(), &[], &capacities).unwrap();
        prop_assert_eq!(layout.record.previous, previous);
        let snapshot = published(&placed, &Snapshot::default(), &layout);
        for (service, record) in placed.config.services.iter().zip(&snapshot.services) {
            let read = crate::datapath::store::records::service(
                record,
                snapshot.servers_of(record),
                snapshot.previous_of(record),
            );
            prop_assert_eq!(&read.previous, &service.previous);
        }
        let short = Capacities { servers: previous.saturating_sub(1), ..CAPACITIES };
        if previous > placed.config.services.iter().map(|service| service.servers.len()).sum::<usize>() as u32 {
            let error = lay_out(&placed, &Snapshot::default(), &[], &short).unwrap_err().to_string();
            prop_assert!(error.contains("servers of previous lists") && error.contains("--max-servers"), "{}", error);
        }
    }
}

#[test]
fn a_transition_has_the_date_of_its_lists() {
    let mut config = config_of(3);
    let mut have = Snapshot::default();
    let mut publish = |config: &Config, now: u64| {
        let placed = placed(config.clone());
        let settled = vec![Counter::default(); have.draining.len()];
        let mut layout = lay_out(&placed, &have, &settled, &CAPACITIES).unwrap();
        layout.date_transitions(&placed.config.services, &have, now);
        have = published(&placed, &have, &layout);
        layout.services[0].transition_since
    };
    assert_eq!(publish(&config, 100), 0);
    config.services[0].previous = vec![list(2)];
    assert_eq!(publish(&config, 200), 200);
    take_down(&mut config);
    assert_eq!(publish(&config, 300), 200, "another change of the service");
    config.services[0].previous.insert(0, list(3));
    assert_eq!(publish(&config, 400), 400);
    config.services[0].previous.clear();
    assert_eq!(publish(&config, 500), 0);
}

fn take_down(config: &mut Config) {
    config.services[0].servers[0].state = State::Down;
}
