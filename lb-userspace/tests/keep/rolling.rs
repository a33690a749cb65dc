//! Every kind of change follows every other, and connections live through four changes each.

use std::{collections::BTreeSet, net::SocketAddr};

use crate::{
    WEB,
    listeners::{Listeners, Pair},
    need_root,
    random::Random,
    site::{Entry, Lists, Site},
    support::{modlb::Modlb, network::SERVICES},
};

/// Servers that lists are made of.
const SERVERS: u8 = 6;

/// How many changes a connection lives through.
const LIFE: usize = 4;

/// Each ordered pair of kinds once: weight, reorder, remove, add, down, up. It begins with three servers that are up,
/// never needs more than there are, and always leaves one that takes flows.
const CHANGES: &str = "WWOOWRADDWAOUURORDAARUWDODUAUDRRWUOAW";

/// The client's first port. Those that the kernel chooses come again once a connection is closed.
const FIRST_PORT: u16 = 20_000;

/// A change of this kind.
fn change(kind: char, random: &mut Random, lists: &Lists) -> Lists {
    let mut servers = lists.servers.clone();
    let mut places: Vec<_> = (0..servers.len()).filter(|place| servers[*place].down == (kind == 'U')).collect();
    let place = places.swap_remove(random.below(places.len()));
    match kind {
        'W' => servers[place].weight = 1 + servers[place].weight % 3,
        'O' => servers.rotate_left(1),
        'R' => drop(servers.remove(place)),
        'A' => {
            let absent: Vec<_> =
                (0..SERVERS).filter(|number| servers.iter().all(|entry| entry.number != *number)).collect();
            servers.insert(random.below(servers.len() + 1), Entry::up(random.pick(&absent)));
        }
        'D' | 'U' => servers[place].down = kind == 'D',
        _ => unreachable!("{kind}"),
    }
    assert_ne!(servers, lists.servers, "{kind}");
    assert!(servers.iter().any(|entry| !entry.down), "nobody takes flows");
    lists.then(servers)
}

/// One connection from each of the client's addresses in each family.
fn open(site: &Site, listeners: &Listeners, number: usize) -> Vec<Pair> {
    let port = FIRST_PORT + number as u16;
    let open = |service| move |client| Pair::open(site, listeners, service, SocketAddr::new(client, port));
    SERVICES.into_iter().flat_map(|service| Site::clients(service).into_iter().map(open(service))).collect()
}

/// Puts a change in force in an order that differs from change to change; all connections talk in between.
fn apply(site: &Site, lists: &Lists, number: usize, mut talk: impl FnMut()) {
    let configuration = lists.configuration(WEB);
    let apply = |hosts: &[Modlb]| hosts.iter().for_each(|host| drop(host.apply(&configuration)));
    let half = site.keepers.len() / 2;
    let order: &[&[Modlb]] = match number % 3 {
        0 => &[&site.keepers, &site.balancers],
        1 => &[&site.balancers, &site.keepers],
        _ => &[&site.keepers[half..], &site.balancers, &site.keepers[..half]],
    };
    for hosts in order {
        apply(hosts);
        talk();
    }
}

#[test]
fn no_sequence_of_changes_breaks_a_connection() {
    need_root!();
    let kinds: Vec<_> = CHANGES.chars().collect();
    let pairs: BTreeSet<_> = kinds.windows(2).collect();
    assert_eq!((pairs.len(), kinds.iter().collect::<BTreeSet<_>>().len()), (36, 6));
    let site = Site::bare(1, SERVERS);
    let listeners = Listeners::new(&site);
    let mut random = Random::new(37);
    let mut lists = Lists::of(0..3);
    site.attach(&lists.configuration(WEB), Some(""));
    let mut generations = Vec::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        generations.insert(0, open(&site, &listeners, number));
        lists = change(kind, &mut random, &lists);
        apply(&site, &lists, number, || generations.iter_mut().flatten().for_each(Pair::talk));
        generations.drain(generations.len().min(LIFE - 1)..).flatten().for_each(Pair::close);
    }
    generations.into_iter().flatten().for_each(Pair::close);
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
}
