//! Hosts that are a generation behind for a while, while packets of every connection come by either of two balancers.

use std::time::{Duration, Instant};

use crate::{
    WEB,
    listeners::{Listeners, Pair},
    need_root,
    site::{Entry, Lists, Site},
    support::modlb::Modlb,
};

const SERVERS: u8 = 5;

/// For how long hosts are behind.
const BEHIND: Duration = Duration::from_secs(10);

/// How long packets come by the same balancer.
const TURN: Duration = Duration::from_millis(250);

/// Connections that are busy, and those that say nothing until the end.
struct Connections<'a> {
    site: &'a Site,
    listeners: &'a Listeners,
    busy: Vec<Pair>,
    idle: Vec<Pair>,
}

impl Connections<'_> {
    /// Opens more by each balancer.
    fn open(&mut self) {
        for balancer in [0, 1] {
            self.site.route_by(balancer);
            self.busy.extend(Pair::open_all(self.site, self.listeners));
            self.idle.extend(Pair::open_all(self.site, self.listeners));
        }
    }

    /// Lets those that are busy talk by one balancer and the other for as long as hosts are behind.
    fn go_on(&mut self) {
        let (start, mut turns) = (Instant::now(), 0);
        while start.elapsed() < BEHIND || turns < 4 {
            self.site.route_by(turns % 2);
            let turn = Instant::now();
            while turn.elapsed() < TURN {
                self.busy.iter_mut().for_each(Pair::talk);
            }
            turns += 1;
        }
    }

    /// Lets all talk by both balancers.
    fn talk(&mut self) {
        for balancer in [0, 1] {
            self.site.route_by(balancer);
            self.busy.iter_mut().chain(&mut self.idle).for_each(Pair::talk);
        }
    }
}

fn apply<'a>(hosts: impl IntoIterator<Item = &'a Modlb>, lists: &Lists) {
    let configuration = lists.configuration(WEB);
    hosts.into_iter().for_each(|host| drop(host.apply(&configuration)));
}

#[test]
fn hosts_that_are_a_generation_behind_break_no_connection() {
    need_root!();
    let site = Site::bare(2, SERVERS);
    let listeners = Listeners::new(&site);
    let (keepers, newcomer) = site.keepers.split_at(usize::from(SERVERS) - 1);
    let first = Lists::of(0..3);
    keepers.iter().for_each(|keeper| drop(keeper.attach("eth0 --role keep", &first.configuration(WEB))));
    site.balancers.iter().for_each(|it| drop(it.attach("eth0 --mode generic", &first.configuration(WEB))));
    let mut connections = Connections { site: &site, listeners: &listeners, busy: Vec::new(), idle: Vec::new() };
    connections.open();

    // One of the balancers.
    let second = first.then((0..4).map(Entry::up).collect());
    apply(keepers, &second);
    apply(&site.balancers[..1], &second);
    connections.go_on();
    connections.open();
    connections.talk();
    apply(&site.balancers[1..], &second);
    connections.talk();

    // Half of the servers.
    let third = second.then_of([0, 2, 3], &[]);
    let (early, late) = keepers.split_at(keepers.len() / 2);
    apply(early.iter().chain(&site.balancers), &third);
    connections.go_on();
    connections.open();
    connections.talk();
    apply(late, &third);
    connections.talk();

    // A server that has never had another file than the newest.
    let fourth = third.then_of([4, 0, 2, 3], &[]);
    newcomer[0].attach("eth0 --role keep", &fourth.configuration(WEB));
    apply(&site.balancers, &fourth);
    connections.talk();
    connections.open();
    apply(keepers, &fourth);
    connections.talk();

    assert!(
        newcomer[0].json("stats")["outcomes"]["handed_on"]["packets"].as_u64() > Some(0),
        "the new server was not asked"
    );
    assert_eq!(site.outcome("taken_last"), 0);
}
