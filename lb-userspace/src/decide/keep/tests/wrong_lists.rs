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

/// All ordered pairs of lists: some hosts have one, the others the other, each with and without the other as its
/// previous list.
#[test]
fn no_pair_of_lists_hands_a_frame_on_too_often() {
    let (mut pairs, mut most) = (0_usize, 0);
    for six in [false, true] {
        let (hosts, lists) = ((0..SERVERS).map(|number| address(six, number)).collect::<Vec<_>>(), lists(six));
        assert_eq!(lists.len(), 64);
        let list = |servers: &[IpAddr]| List { servers: servers.iter().map(|it| (*it, 1)).collect(), idle: Vec::new() };
        let sums: Vec<_> = (0..FLOWS).map(|flow| BigUint::from(flow * 0x1234_5677)).collect();
        // Who may hold a flow by a list, and by a list with a previous one.
        let known = |some: &[&Vec<IpAddr>]| -> Vec<Vec<IpAddr>> {
            let file = File {
                slots: Some(7),
                lists: some.iter().map(|servers| list(servers)).collect(),
                states: BTreeMap::new(),
            };
            let view = View::of(&file);
            sums.iter().map(|sum| view.holders(sum)).collect()
        };
        let alone: Vec<_> = lists.iter().map(|list| known(&[list])).collect();
        for (one, others) in lists.iter().enumerate() {
            for (two, other) in lists.iter().enumerate() {
                let informed = [known(&[others, other]), known(&[other, others])];
                for (number, knows) in
                    [[&alone[one], &alone[two]], [&informed[0], &informed[1]]].into_iter().enumerate()
                {
                    for flow in 0..sums.len() {
                        // Which hosts have the second list.
                        let chosen = (one * 31 + two * 7 + flow * 5 + number) % (1 << SERVERS);
                        let candidates = |at: IpAddr| {
                            let host = hosts.iter().position(|host| *host == at).unwrap();
                            let holders = knows[chosen >> host & 1][flow].clone();
                            Candidates { flow: (one << 20 | two << 8 | flow) as u64, owner: None, holders }
                        };
                        most = most.max(most_hand_ons(&hosts, candidates));
                    }
                }
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 2 * 64 * 64);
    // Of a ring of four, as those of most pairs are; of larger ones, see `strays_end_within_18_hand_ons`.
    assert_eq!(most, 6);
}
