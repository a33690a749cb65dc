//! Feeds a text to the parser of configurations, and uses a configuration that it accepts.

use crate::{
    config::{
        file,
        model::{Config, PreviousServer, Selection, Service},
    },
    decide::slots::SlotTable,
};
use lb_common::limits::MAX_SLOTS_PER_SERVICE;

/// Dealing slots takes their number times the servers' weights; products larger than this are skipped.
const MAX_WORK: u64 = 1 << 18;

/// Reads a configuration, writes it, reads it once more, edits its text, and deals the slots.
///
/// # Panics
///
/// If an impossible configuration is accepted, or one reads back differently.
pub fn config(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let config = match file::parse(text) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error without a message: {error:?}"),
    };
    config.validate().unwrap_or_else(|error| panic!("accepted from a file, refused in memory: {error}\n{config:?}"));
    let written = file::write(&config);
    match file::parse(&written) {
        Ok(again) => assert_eq!(again, config, "read back from:\n{written}"),
        Err(error) => panic!("what was written is refused: {error}\n{written}"),
    }
    edit(text, &config, |_| Vec::new());
    edit(text, &config, |service| {
        let address =
            if service.address.addr().is_ipv4() { [10, 9, 9, 9].into() } else { [0xfd99, 0, 0, 0, 0, 0, 0, 9].into() };
        let server = |weight| vec![PreviousServer { address, mac: None, weight, idle: weight == 2 }];
        vec![server(1), server(2)]
    });
    config.services.iter().for_each(deal);
}

/// Puts previous lists into the text, which must change nothing else.
fn edit(text: &str, config: &Config, lists: impl Fn(&Service) -> Vec<Vec<PreviousServer>>) {
    let lists: Vec<_> = config.services.iter().map(|service| Some(lists(service))).collect();
    let mut want = config.clone();
    for (service, lists) in want.services.iter_mut().zip(&lists) {
        service.previous = lists.clone().unwrap_or_default();
    }
    let edited = file::with_previous(text, &lists);
    match file::parse(&edited) {
        Ok(found) => assert_eq!(found, want, "edited:\n{edited}"),
        Err(error) => panic!("what was edited is refused: {error}\n{edited}"),
    }
}

fn deal(service: &Service) {
    let n = service.n();
    let most = match service.selection {
        Selection::Modulo => n.max(8_192),
        Selection::Resilient { slots } => slots,
    };
    if u64::from(most) * u64::from(n) > MAX_WORK {
        return;
    }
    let table = SlotTable::build(service);
    match service.selection {
        _ if n == 0 => assert!(table.is_empty(), "{} slots without servers", table.len()),
        Selection::Modulo => assert!(table.len().is_multiple_of(n), "{} slots for N = {n}", table.len()),
        Selection::Resilient { slots } => assert_eq!(table.len(), slots),
    }
    assert!(table.len() <= MAX_SLOTS_PER_SERVICE, "{} slots", table.len());
    let servers = service.servers.len();
    assert!(
        table.iter().flatten().all(|server| usize::from(server) < servers),
        "a slot of a server that does not exist"
    );
    assert!(table.all_down() || table.iter().all(|server| server.is_some()), "an empty slot");
    table.digest(service);
}
