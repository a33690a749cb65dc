use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*};

use lb_common::limits::{MAX_SLOTS_PER_SERVICE, REFINED_SLOTS};

use super::*;
use crate::config::{
    model::{Failing, Failure, Health, Missing, ServerMac, State, Unresolved},
    testing,
};

fn service(selection: Selection, servers: &[(&str, u32, State)]) -> Service {
    Service {
        protocol: Some(6),
        port: Some(80),
        selection,
        servers: servers
            .iter()
            .map(|(address, weight, state)| server(address.parse().unwrap(), *weight, *state))
            .collect(),
        ..testing::plain("web", IpAddr::from([203, 0, 113, 10]).into())
    }
}

fn server(address: IpAddr, weight: u32, state: State) -> Server {
    Server { address, mac: ServerMac::Unresolved, vlan: None, weight, state, health: Health::default() }
}

/// A service of `n` servers of weight 1, of which those in `down` are down.
fn numbered(selection: Selection, n: u32, down: &[u32]) -> Service {
    let mut service = service(selection, &[]);
    let state = |index| if down.contains(&index) { State::Down } else { State::Up };
    service.servers =
        (0..n).map(|index| server(Ipv4Addr::from_bits(0x0a00_0000 + index).into(), 1, state(index))).collect();
    service
}

use State::{Down, Up};

/// The digests come from an implementation in another language.
#[test]
fn known_digests() {
    let resilient = Selection::Resilient { slots: 251 };
    let three_up = [("10.0.0.11", 1, Up), ("10.0.0.12", 1, Up), ("10.0.0.13", 1, Up)];
    let one_down = [("10.0.0.11", 1, Up), ("10.0.0.12", 1, Down), ("10.0.0.13", 1, Up)];
    let weights = [("fd00::1", 3, Up), ("fd00::2", 1, Down), ("fd00::3", 2, Up), ("fd00::4", 1, Up)];
    let maglev = [("10.0.0.11", 1, Up), ("10.0.0.12", 2, Up), ("10.0.0.13", 1, Down)];
    let all_down = [("10.0.0.11", 1, Down), ("10.0.0.12", 1, Down)];
    let cases: [(_, &[_], _, _, &[_]); 5] = [
        (Selection::Modulo, &three_up, 3, "532eb4d8ce0e4b66", &[0, 1, 2]),
        (Selection::Modulo, &one_down, 4_098, "7b944f9791e2d675", &[0, 0, 2, 0, 0, 2, 0, 0, 2, 0, 0, 2]),
        (Selection::Modulo, &weights, 4_102, "d6d958ab55b2207f", &[0, 0, 0, 0, 2, 2, 3, 0, 0, 0, 2, 2]),
        (resilient, &maglev, 251, "0d5a5a67e3ebd512", &[0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]),
        (Selection::Modulo, &all_down, 2, "e44728408fa24705", &[]),
    ];
    for (selection, servers, slots, digest, head) in cases {
        let service = service(selection, servers);
        let table = SlotTable::build(&service);
        assert_eq!((table.len(), table.digest(&service).to_string().as_str()), (slots, digest));
        assert_eq!(table.iter().map_while(|slot| slot).take(12).collect::<Vec<_>>(), head);
    }
}

/// The table is the same for every reason why a server takes no flows.
#[test]
fn every_reason_makes_the_same_table() {
    let taken_down = numbered(Selection::Modulo, 3, &[1]);
    let failing = Some(Failing { since: 7, why: Failure::Refused });
    let unresolved = Some(Unresolved { since: 7, why: Missing::NoAnswer, on: 2 });
    for health in [Health { failing, ..Health::default() }, Health { unresolved, ..Health::default() }] {
        let mut unhealthy = numbered(Selection::Modulo, 3, &[]);
        let text = "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\ncheck = { kind = \"icmp\" }";
        unhealthy.check = crate::config::file::parse(text).unwrap().services.remove(0).check;
        unhealthy.servers[1].health = health;
        assert_eq!(SlotTable::build(&unhealthy), SlotTable::build(&taken_down), "{health:?}");
    }
}

#[test]
fn with_all_up_the_table_is_the_formula() {
    for n in [1, 2, 3, 100, 4_097, 65_536] {
        let table = SlotTable::build(&numbered(Selection::Modulo, n, &[]));
        assert_eq!(table.len(), n);
        assert!((0..n).all(|slot| table.get(slot) == Some(slot as u16)), "N = {n}");
    }
}

#[test]
fn without_servers_that_are_up_slots_name_none() {
    let none = SlotTable::build(&numbered(Selection::Modulo, 0, &[]));
    assert_eq!((none.len(), none.is_empty(), none.all_down(), none.get(0)), (0, true, true, None));
    let down = SlotTable::build(&numbered(Selection::Modulo, 2, &[0, 1]));
    assert_eq!((down.len(), down.all_down(), down.get(0)), (2, true, None));
    let one = SlotTable::build(&numbered(Selection::Resilient { slots: 7 }, 1, &[0]));
    assert!(one.all_down());
    assert!(SlotTable::build(&numbered(Selection::Resilient { slots: 7 }, 0, &[])).all_down());
}

#[test]
fn weights_are_consecutive_entries() {
    let table =
        SlotTable::build(&service(Selection::Modulo, &[("10.0.0.1", 2, Up), ("10.0.0.2", 1, Up), ("10.0.0.3", 3, Up)]));
    assert_eq!(table.iter().flatten().collect::<Vec<_>>(), [0, 0, 1, 2, 2, 2]);
}

#[test]
fn a_refined_table_has_enough_entries_but_not_too_many() {
    for n in [2, 3, 1_000, 4_095, 4_096, 4_097, 40_000] {
        let slots = SlotTable::build(&numbered(Selection::Modulo, n, &[1])).len();
        assert_eq!(slots % n, 0, "N = {n}");
        assert!((REFINED_SLOTS..=MAX_SLOTS_PER_SERVICE).contains(&slots), "N = {n}: {slots}");
    }
    let mut heavy = numbered(Selection::Modulo, 2, &[1]);
    heavy.servers[0].weight = 65_535;
    assert_eq!(SlotTable::build(&heavy).len(), 65_536);
}

#[test]
fn the_share_of_a_server_that_is_down_is_spread_by_weight() {
    let servers = [("10.0.0.1", 4, Down), ("10.0.0.2", 1, Up), ("10.0.0.3", 1, Up), ("10.0.0.4", 2, Up)];
    let service = service(Selection::Modulo, &servers);
    let table = SlotTable::build(&service);
    let mut shares = [0; 4];
    for slot in (0..table.len()).filter(|slot| slot % 8 < 4) {
        shares[usize::from(table.get(slot).unwrap())] += 1;
    }
    // 2,048 entries by weights of 1, 1 and 2: 512, 512 and 1,024, with standard deviations of about 20.
    assert_eq!((shares[0], shares.iter().sum::<u32>()), (0, 2_048));
    assert!(
        shares[1].abs_diff(512) < 80 && shares[2].abs_diff(512) < 80 && shares[3].abs_diff(1_024) < 80,
        "{shares:?}"
    );
}

#[test]
fn a_resilient_table_is_even_and_follows_weights() {
    let selection = Selection::Resilient { slots: 16_381 };
    let table = SlotTable::build(&numbered(selection, 100, &[]));
    let mut counts = [0_u32; 100];
    table.iter().flatten().for_each(|server| counts[usize::from(server)] += 1);
    // Servers take equal turns, so counts differ only by the last, incomplete round.
    assert!(counts.iter().all(|count| (163..=164).contains(count)), "{counts:?}");

    let weighted = service(selection, &[("10.0.0.1", 1, Up), ("10.0.0.2", 3, Up)]);
    let first = SlotTable::build(&weighted).iter().flatten().filter(|server| *server == 0).count();
    assert!(first.abs_diff(16_381 / 4) <= 1, "{first}");

    // With weights that do not divide one another, the rest of a turn counts for the next.
    let uneven = service(selection, &[("10.0.0.1", 2, Up), ("10.0.0.2", 3, Up)]);
    let first = SlotTable::build(&uneven).iter().flatten().filter(|server| *server == 0).count();
    assert!(first.abs_diff(16_381 * 2 / 5) <= 1, "{first}");
}

/// The share of slots that name a server with another address.
fn moved(before: &Service, after: &Service) -> f64 {
    let (old, new) = (SlotTable::build(before), SlotTable::build(after));
    assert_eq!(old.len(), new.len());
    let address =
        |service: &Service, server: Option<u16>| server.map(|index| service.servers[usize::from(index)].address);
    let moved = old.iter().zip(new.iter()).filter(|(a, b)| address(before, *a) != address(after, *b)).count();
    moved as f64 / f64::from(old.len())
}

#[test]
fn a_resilient_table_changes_little_with_the_list() {
    for n in [3, 10, 50] {
        let selection = Selection::Resilient { slots: 16_381 };
        let before = numbered(selection, n, &[]);
        let share = 1.0 / f64::from(n + 1);
        // Maglev moves some slots of servers that stay; the paper's section 5.3 finds a few percent.
        let added = moved(&before, &numbered(selection, n + 1, &[]));
        assert!((share..share + 0.1).contains(&added), "N = {n}: {added}");
        let mut shuffled = before.clone();
        shuffled.servers.reverse();
        assert!(moved(&before, &shuffled) == 0.0, "the order of the list counts");
    }
}

/// A service with weights: with all servers up, with some down, and with more down.
fn nested() -> impl Strategy<Value = [Service; 3]> {
    let selection = prop_oneof![
        Just(Selection::Modulo),
        Just(Selection::Resilient { slots: 251 }),
        Just(Selection::Resilient { slots: 7 })
    ];
    let servers = vec((1..4_u32, 0..3_u8), 1..8);
    (selection, servers, any::<bool>()).prop_map(|(selection, servers, six)| {
        let with = |level: u8| {
            let mut all = service(selection, &[]);
            all.servers = (0..)
                .zip(&servers)
                .map(|(index, (weight, falls))| {
                    let address: IpAddr =
                        if six { [0xfd00, 0, 0, 0, 0, 0, 0, index].into() } else { [10, 0, 0, index as u8].into() };
                    server(address, *weight, if *falls < level { Down } else { Up })
                })
                .collect();
            all
        };
        [with(0), with(1), with(2)]
    })
}

/// The server that a sum leads to.
fn owner(table: &SlotTable, sum: u128) -> Option<usize> {
    if table.is_empty() { None } else { table.get((sum % u128::from(table.len())) as u32).map(usize::from) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The central promise: a flow moves only if its server goes down or comes back.
    #[test]
    fn flows_of_servers_that_stay_up_do_not_move(services in nested(), sums in vec(any::<u128>(), 200)) {
        let tables = services.each_ref().map(SlotTable::build);
        let up = |service: &Service, index: usize| service.servers[index].state == Up;
        for sum in sums {
            let owners = [0, 1, 2].map(|i| owner(&tables[i], sum));
            for (fewer, more) in [(0, 1), (1, 2), (0, 2)] {
                let Some(before) = owners[fewer] else { continue };
                if up(&services[more], before) {
                    prop_assert_eq!(owners[more], Some(before));
                }
            }
            for (owner, service) in owners.iter().zip(&services) {
                let someone = service.servers.iter().any(|server| server.state == Up);
                prop_assert_eq!(owner.is_some(), someone);
                prop_assert!(owner.is_none_or(|index| up(service, index)));
            }
        }
    }

    /// The table depends on the configuration alone, not on history.
    #[test]
    fn the_same_configuration_gives_the_same_table(service in testing::service(0)) {
        let (one, other) = (SlotTable::build(&service), SlotTable::build(&service.clone()));
        prop_assert_eq!(one.digest(&service), other.digest(&service));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_digest_tells_tables_apart(one in testing::service(0), other in testing::service(0)) {
        let addresses = |service: &Service| -> Vec<Option<IpAddr>> {
            SlotTable::build(service).iter().map(|slot| slot.map(|index| service.servers[usize::from(index)].address)).collect()
        };
        let digest = |service: &Service| SlotTable::build(service).digest(service);
        prop_assert_eq!(digest(&one) == digest(&other), addresses(&one) == addresses(&other));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The first of a slot's order that takes flows is who the table names, with any set of servers down.
    #[test]
    fn the_first_that_takes_flows_owns_the_slot(services in nested(), sums in vec(any::<u128>(), 50)) {
        let ranked = |service: &Service, takes_part| Order::new(&service.servers, service.selection, takes_part);
        for service in services {
            let takes_flows = service.takes_flows();
            let (table, all) = (SlotTable::build(&service), ranked(&service, vec![true; takes_flows.len()]));
            let up = ranked(&service, takes_flows.clone());
            for sum in &sums {
                let slot = (sum % u128::from(all.len())) as u32;
                let mut first = [0; Order::MOST];
                let first = all.fill(slot, &mut first);
                prop_assert_eq!(first.len(), takes_flows.len());
                let wanted = first.iter().copied().find(|index| takes_flows[usize::from(*index)]);
                prop_assert_eq!(wanted.map(usize::from), owner(&table, *sum));
                prop_assert_eq!(up.first(slot), wanted);
                let mut some = [0; 2];
                let other_way = first.iter().copied().filter(|index| takes_flows[usize::from(*index)]).take(2);
                prop_assert_eq!(up.fill(slot, &mut some).to_vec(), other_way.collect::<Vec<_>>());
            }
        }
    }
}
