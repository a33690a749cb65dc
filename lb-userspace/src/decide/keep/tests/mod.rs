//! Rankings, holders and hand-ons against an oracle, and whole walks of packets while hosts disagree.

use std::{collections::BTreeMap, net::IpAddr};

use lb_common::{
    keep::{FIRST_TTL, LAST_TTL, MAX_HAND_ONS, MAX_HOLDERS, next_ttl},
    outcome::Outcome,
};
use num_bigint::BigUint;
use proptest::{collection::vec, prelude::*, sample::subsequence};

use self::oracle::{File, List, Now, Oracle};
use super::{
    explained::Explained,
    holders::{self, Holder, Reason},
    ranking::{DEPTH, Entry, NONE, Ranker, Rankings, universe},
    ring::{self, Ring},
    walk::{Arrival, Candidates, Step, hand_ons},
};
use crate::{
    config::{
        model::{Config, Group, Health, PreviousServer, Role, Selection, Server, ServerMac, Service, State},
        testing,
    },
    decide::explain::{Endpoint, Packet, ThisHost, explain},
};

mod changes;
mod oracle;
mod sequences;
mod wrong_lists;

/// A small prime, so that the oracle keeps up.
const SLOTS: u32 = 251;

/// The address of the host with this number.
fn address(six: bool, number: u8) -> IpAddr {
    if six { [0xfd00, 0, 0, 7, 0, 0, u16::from(number) << 9, 1].into() } else { [10, number % 3, 7, number].into() }
}

/// The service of a file.
fn service(file: &File) -> Service {
    let server = |(address, weight): &(IpAddr, u32)| Server {
        address: *address,
        mac: ServerMac::Unresolved,
        vlan: None,
        weight: *weight,
        state: if file.states.get(address).is_some_and(|now| *now != Now::Up) { State::Down } else { State::Up },
        health: Health::default(),
    };
    let previous = |list: &List| -> Vec<PreviousServer> {
        let idle = |address: &IpAddr| list.idle.contains(address);
        let server = |(address, weight): &(IpAddr, u32)| PreviousServer {
            address: *address,
            mac: None,
            weight: *weight,
            idle: idle(address),
        };
        list.servers.iter().map(server).collect()
    };
    Service {
        selection: file.slots.map_or(Selection::Modulo, |slots| Selection::Resilient { slots }),
        servers: file.lists[0].servers.iter().map(server).collect(),
        previous: file.lists[1..].iter().map(previous).collect(),
        ..testing::plain("web", IpAddr::from([203, 0, 113, 10]).into())
    }
}

/// What the code under test makes of a file.
struct View {
    universe: Vec<IpAddr>,
    ranker: Ranker,
}

impl View {
    fn of(file: &File) -> Self {
        let service = service(file);
        let universe = universe(&service);
        let [alive, takes_flows] = marks(file, &universe);
        let ranker = Ranker::new(&service, &universe, &alive, &takes_flows);
        Self { universe, ranker }
    }

    fn holders(&self, sum: &BigUint) -> Vec<IpAddr> {
        let found = holders::of_entries(&self.ranker.entries(sum));
        found.iter().map(|holder| self.universe[usize::from(holder.server)]).collect()
    }

    fn owner(&self, sum: &BigUint) -> Option<IpAddr> {
        let owner = self.ranker.entries(sum)[0][0];
        (owner != NONE).then(|| self.universe[usize::from(owner)])
    }
}

/// Whether each server is alive, and whether it takes flows.
fn marks(file: &File, universe: &[IpAddr]) -> [Vec<bool>; 2] {
    let now = |server| file.states.get(server).copied().unwrap_or(Now::Up);
    [
        universe.iter().map(|server| now(server) != Now::Dead).collect(),
        universe.iter().map(|server| now(server) == Now::Up).collect(),
    ]
}

/// Any file with up to eight previous lists.
fn file(most: u8) -> impl Strategy<Value = File> {
    let list = move |six: bool| {
        let servers = subsequence((0..most).collect::<Vec<_>>(), 0..=usize::from(most)).prop_shuffle();
        (servers, vec((1..4_u32, 0..4_u8), usize::from(most))).prop_map(move |(numbers, rest)| {
            let servers = || numbers.iter().map(|number| address(six, *number)).zip(&rest);
            List {
                servers: servers().map(|(address, (weight, _))| (address, *weight)).collect(),
                idle: servers().filter(|(_, (_, idle))| *idle == 0).map(|(address, _)| address).collect(),
            }
        })
    };
    let slots = prop_oneof![Just(None), Just(Some(SLOTS)), Just(Some(7))];
    let states = vec(prop_oneof![4 => Just(Now::Up), 1 => Just(Now::Down), 1 => Just(Now::Dead)], usize::from(most));
    any::<bool>().prop_flat_map(move |six| {
        (slots.clone(), vec(list(six), 1..=9), states.clone()).prop_map(move |(slots, lists, states)| {
            let states = (0..most).map(|number| address(six, number)).zip(states).collect();
            File { slots, lists, states }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// 12 servers of each ranking are enough: what the oracle finds in whole rankings is found in them. Only where an
    /// owner by a previous list is dead, one fewer of that ranking is kept, and the twelfth may be another one.
    #[test]
    fn holders_are_those_of_unbounded_rankings(
        file in prop_oneof![4 => file(6), 4 => file(14), 1 => file(40)], sums in vec(any::<[u64; 3]>(), 50)
    ) {
        let (view, oracle) = (View::of(&file), Oracle::of(&file));
        for [high, middle, low] in sums {
            let sum = BigUint::from(high >> 40 << 40) * BigUint::from(middle) + BigUint::from(low);
            let (found, wanted) = (view.holders(&sum), oracle.holders(&sum));
            let entries = view.ranker.entries(&sum);
            let sure = if entries[1..].iter().any(|entry| entry[0] == NONE) { MAX_HOLDERS - 1 } else { MAX_HOLDERS };
            prop_assert_eq!(found.iter().take(sure).collect::<Vec<_>>(), wanted.iter().take(sure).collect::<Vec<_>>());
            prop_assert_eq!(view.owner(&sum), oracle.owner(&sum));
        }
    }

    /// The rankings of all slots are those that are computed for single flows.
    #[test]
    fn rankings_are_of_all_slots(file in file(9), sums in vec(any::<u64>(), 20)) {
        let (service, view) = (service(&file), View::of(&file));
        let [alive, takes_flows] = marks(&file, &view.universe);
        let rankings = Rankings::of(&service, &view.universe, &alive, &takes_flows);
        for sum in sums {
            let slots: Vec<u32> =
                rankings.lists.iter().map(|list| sum.checked_rem(list.slots.into()).unwrap_or(0) as u32).collect();
            let found = holders::holders(&rankings, &slots);
            let addresses: Vec<_> = found.iter().map(|server| view.universe[usize::from(*server)]).collect();
            prop_assert_eq!(addresses, view.holders(&sum.into()));
        }
        for (list, servers) in rankings.lists.iter().zip(&file.lists) {
            let n: u32 = servers.servers.iter().map(|(_, weight)| weight).sum();
            let refined = file.slots.filter(|_| n > 0).unwrap_or(n * 4_096_u32.checked_div(n).map_or(0, |_| 4_096_u32.div_ceil(n)));
            prop_assert_eq!((list.slots, list.entries.len() as u32), (refined, refined));
        }
    }

    /// Every host hands on to the server that the oracle names, at every number of hand-ons.
    #[test]
    fn steps_are_those_of_the_oracle(
        flow: u64, six: bool, numbers in subsequence((0..40_u8).collect::<Vec<_>>(), 0..=MAX_HOLDERS).prop_shuffle(), host in 0..40_u8
    ) {
        let holders: Vec<_> = numbers.iter().map(|number| address(six, *number)).collect();
        let host = address(six, host);
        let candidates = Candidates { flow, owner: holders.first().copied(), holders: holders.clone() };
        for hand_ons in 0..=40 {
            let arrival = Arrival { hand_ons, syn: false, found: false };
            let alone = holders.iter().all(|holder| *holder == host);
            let wanted = match oracle::next(flow, &holders, host, hand_ons as usize) {
                Some(next) => Step::HandOn(next),
                None if alone => Step::Pass,
                None => Step::TakenLast,
            };
            prop_assert_eq!(candidates.step(host, arrival), wanted);
            prop_assert_eq!(candidates.step(host, Arrival { found: true, ..arrival }), Step::Pass);
        }
    }
}

#[test]
fn explained_flows_name_holders_and_ring() {
    let list = |numbers: &[u8]| List {
        servers: numbers.iter().map(|number| (address(true, *number), 1)).collect(),
        idle: Vec::new(),
    };
    // Numbers 5 and 6 are gone, but may still hold connections. Number 2 is taken down.
    let states = [(address(true, 2), Now::Down)].into();
    let file = File { slots: None, lists: vec![list(&[1, 2, 3, 4]), list(&[5, 6])], states };
    let (service, oracle) = (service(&file), Oracle::of(&file));
    for sum in 0..8_u32 {
        let sum = BigUint::from(sum);
        let ends = |port| ((address(true, 200), port), (address(true, 100), 443));
        let explain = |port| Explained::of(&service, &sum, ends(port).0, ends(port).1);
        let found = explain(Some(51_234));
        let holders: Vec<_> = found.holders.iter().map(|holder| holder.server).collect();
        assert_eq!(holders, oracle.holders(&sum));
        assert_eq!(found.holders[2].reason.to_string(), "owner by previous list 1");
        let mut ring = holders;
        let flow = ring::flow((address(true, 200), 51_234), ends(None).1, 6).unwrap();
        ring.sort_by_key(|server| oracle::place(flow, *server));
        assert_eq!(found.ring, Some(ring));
        assert_eq!(explain(None), Explained { ring: None, ..found });
    }
}

/// A server of role `keep` takes SYNs of flows that it owns and hands on the others; UDP has no connections to keep.
#[test]
fn explanations_know_the_role() {
    let list = |numbers: &[u8]| List {
        servers: numbers.iter().map(|number| (address(false, *number), 1)).collect(),
        idle: Vec::new(),
    };
    let file = File { slots: None, lists: vec![list(&[1, 2]), list(&[1])], states: BTreeMap::new() };
    let explained = |role, protocol, previous, here| {
        let service = Service { previous, ..service(&file) };
        let config = Config {
            interfaces: Vec::new(),
            role,
            group: Group::default(),
            max_hand_ons: None,
            peers: Vec::new(),
            services: vec![service],
        };
        let end = |address: [u8; 4], port| Endpoint { address: address.into(), port: Some(port) };
        let (source, destination) = (end([198, 51, 100, 7], 51_234), end([203, 0, 113, 10], 443));
        let here = [vec![here, here]];
        let host = ThisHost { here: &here, ..ThisHost::default() };
        explain(&config, host, &Packet { source, destination, protocol, from: None }).unwrap()
    };
    let previous = service(&file).previous;
    for (role, protocol, here, outcome) in [
        (Role::Keep, 6, true, Outcome::Local),
        (Role::Keep, 6, false, Outcome::HandedOn),
        (Role::Keep, 17, false, Outcome::Local),
        (Role::Balancer, 6, false, Outcome::Forwarded),
    ] {
        let found = explained(role, protocol, previous.clone(), here);
        assert_eq!((found.outcome, found.keep.is_some()), (outcome, protocol == 6), "{role:?} {protocol} {here}");
    }
    assert_eq!(explained(Role::Balancer, 6, Vec::new(), false).keep, None);
    let without_lists = explained(Role::Keep, 6, Vec::new(), false).keep.unwrap();
    assert_eq!(without_lists.holders.len(), 2);
    assert_eq!(without_lists.ring.unwrap().len(), 2);
}

/// Servers of which a current list has all, each with the ranking of its number.
fn entry(servers: &[u16]) -> Entry {
    let mut entry = [NONE; DEPTH];
    entry[..servers.len()].copy_from_slice(servers);
    entry
}

#[test]
fn holders_have_reasons() {
    let found = holders::of_entries(&[entry(&[0, 1, 2, 3]), entry(&[2, 4, 0]), entry(&[NONE, 5, 6])]);
    let wanted = [
        (0, Reason::OwnerNow),
        (1, Reason::NextNow),
        (2, Reason::OwnerThen(1)),
        (3, Reason::NextNow),
        (4, Reason::NextThen(1)),
    ];
    let mut wanted = wanted.map(|(server, reason)| Holder { server, reason }).to_vec();
    assert_eq!(found[..5], wanted);
    wanted.push(Holder { server: 5, reason: Reason::NextThen(2) });
    assert_eq!(found, wanted);
    assert_eq!(holders::of_entries(&[]), []);
    assert_eq!(holders::of_entries(&[entry(&[]), entry(&[7])])[0].reason, Reason::OwnerThen(1));
}

#[test]
fn syns_go_to_the_owner_and_no_further() {
    let hosts = [1, 2, 3].map(|number| address(false, number));
    let of = |owner| Candidates { flow: 7, owner, holders: hosts.to_vec() };
    let syn = |hand_ons| Arrival { hand_ons, syn: true, found: false };
    let candidates = of(Some(hosts[0]));
    assert_eq!(candidates.step(hosts[0], syn(0)), Step::Owner);
    assert_eq!(candidates.step(hosts[0], syn(3)), Step::Owner);
    assert_eq!(candidates.step(hosts[1], syn(0)), Step::HandOn(hosts[0]));
    assert_eq!(candidates.step(hosts[1], syn(1)), Step::Pass);
    assert_eq!(of(None).step(hosts[1], syn(0)), Step::Pass);
}

#[test]
fn the_ttl_counts_hand_ons() {
    for ttl in [0, 1, 32, 33, 64, 255] {
        assert_eq!(hand_ons(false, ttl), 0);
    }
    assert_eq!((hand_ons(true, 64), hand_ons(true, 33), hand_ons(true, 32), hand_ons(true, 0)), (0, 0, 1, 33));
    let mut ttl = 250;
    for number in 0..MAX_HAND_ONS {
        let before = hand_ons(number > 0, ttl);
        assert_eq!(before, number);
        ttl = next_ttl(ttl);
        assert_eq!(ttl, FIRST_TTL - number as u8);
    }
    assert_eq!(ttl, LAST_TTL);
}

/// The worst that can be: everyone believes something else. Frames stop after one and a half rounds of 13, or 18.
#[test]
fn strays_end_within_18_hand_ons() {
    let all: Vec<_> = (0..40).map(|number| address(true, number)).collect();
    let mut most = 0;
    for flow in 0..2_000_u64 {
        let mut at = all[flow as usize % all.len()];
        let mut number = 0;
        loop {
            let some = (0..MAX_HOLDERS as u64).map(|turn| all[((flow * 31 + number * 7 + turn * 3) % 40) as usize]);
            let candidates = Candidates { flow, owner: None, holders: some.collect() };
            match candidates.step(at, Arrival { hand_ons: number as u32, syn: false, found: false }) {
                Step::HandOn(next) => (at, number) = (next, number + 1),
                Step::TakenLast => break,
                Step::Pass | Step::Owner => unreachable!("nobody holds it, and others may"),
            }
        }
        most = most.max(number);
    }
    assert_eq!(most, u64::from(MAX_HAND_ONS));
}

/// What the datapath computes of a flow, computed in another language.
#[test]
fn flows_and_rings_are_those_of_both_families() {
    let four = ring::flow(([198, 51, 100, 7].into(), 51_234), ([203, 0, 113, 10].into(), 443), 6);
    let six = ring::flow(("2001:db8::7".parse().unwrap(), 51_234), ("2001:db8:f00::10".parse().unwrap(), 443), 6);
    assert_eq!((four, six), (Some(0x5392_17da_32d2_900f), Some(0xfb45_a1ab_e62f_cb89)));
    assert_eq!(ring::flow(([198, 51, 100, 7].into(), 1), ("::1".parse().unwrap(), 2), 6), None);
    for six in [false, true] {
        let mut servers: Vec<_> = (1..=5).map(|number| address(six, number)).collect();
        let ring = Ring::new(7, servers.iter().copied().chain([servers[0]]));
        servers.sort_by_key(|server| oracle::place(7, *server));
        assert_eq!(ring.members(), servers);
        assert_eq!(ring.after(servers[4]), Some(servers[0]));
        assert_eq!(ring.after(address(six, 9)), None);
    }
    assert_eq!(Ring::new(7, [address(false, 1)]).after(address(false, 1)), None);
}
