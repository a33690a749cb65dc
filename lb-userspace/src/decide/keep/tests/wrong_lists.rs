//! Hosts whose lists contradict each other: frames end all the same.

use super::*;

/// Servers that lists are made of, each of which is also a host.
const SERVERS: u8 = 4;

/// Packets of connections that nobody has, for each pair of lists and each way to give them to hosts.
const FLOWS: u64 = 2;

/// Every list: each choice of servers in each order.
fn lists(six: bool) -> Vec<Vec<IpAddr>> {
    let mut all = vec![Vec::new()];
    let mut first = 0;
    while first < all.len() {
        let list = all[first].clone();
        let others = (0..SERVERS).map(|number| address(six, number)).filter(|server| !list.contains(server));
        all.extend(others.map(|server| [&list[..], &[server]].concat()).collect::<Vec<_>>());
        first += 1;
    }
    all.remove(0);
    all
}

/// How often a frame that nobody takes is handed on, from each host.
fn most_hand_ons(hosts: &[IpAddr], candidates: impl Fn(IpAddr) -> Candidates) -> u32 {
    let walk = |mut at: IpAddr| {
        for hand_ons in 0.. {
            match candidates(at).step(at, Arrival { hand_ons, syn: false, found: false }) {
                Step::HandOn(next) => at = next,
                Step::Pass | Step::Owner | Step::TakenLast => return hand_ons,
            }
        }
        unreachable!()
    };
    hosts.iter().map(|host| walk(*host)).max().unwrap()
}

/// Who may hold each flow by some lists, the newest first.
fn holders_by(lists: &[&[IpAddr]]) -> Vec<Vec<IpAddr>> {
    let list = |servers: &&[IpAddr]| List { servers: servers.iter().map(|it| (*it, 1)).collect(), idle: Vec::new() };
    let view = View::of(&File { slots: Some(7), lists: lists.iter().map(list).collect(), states: BTreeMap::new() });
    (0..FLOWS).map(|flow| view.holders(&BigUint::from(flow * 0x1234_5677))).collect()
}

/// All ordered pairs of lists: some hosts have one, the others the other, each with and without the other as its
/// previous list.
#[test]
fn no_pair_of_lists_hands_a_frame_on_too_often() {
    let (mut pairs, mut most) = (0_usize, 0);
    for six in [false, true] {
        let hosts: Vec<_> = (0..SERVERS).map(|number| address(six, number)).collect();
        let lists = lists(six);
        assert_eq!(lists.len(), 64);
        let lists: Vec<_> = lists.iter().map(|list| (list, holders_by(&[list]))).collect();
        for ((one, by_one), (two, by_two)) in lists.iter().flat_map(|one| lists.iter().map(move |two| (one, two))) {
            pairs += 1;
            let informed = [holders_by(&[one, two]), holders_by(&[two, one])];
            for (by_one, by_two) in [(by_one, by_two), (&informed[0], &informed[1])] {
                for (flow, holders) in (0_usize..).zip(by_one.iter().zip(by_two)) {
                    // Which hosts have the second list.
                    let chosen = (pairs * 7 + flow) % (1 << SERVERS);
                    let candidates = |at: IpAddr| {
                        let host = hosts.iter().position(|host| *host == at).unwrap();
                        let holders = if chosen >> host & 1 == 0 { holders.0 } else { holders.1 };
                        Candidates { flow: (pairs * 2 + flow) as u64, owner: None, holders: holders.clone() }
                    };
                    most = most.max(most_hand_ons(&hosts, candidates));
                }
            }
        }
    }
    assert_eq!(pairs, 2 * 64 * 64);
    // In a ring of four; for larger ones, see `strays_end_within_18_hand_ons`.
    assert_eq!(most, 6);
}
