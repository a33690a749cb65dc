//! How many flows a change moves to another server, and how many of them the previous lists cover.
//!
//! Owners are compared for every sum, or for sums that are spread evenly where tables have no small common multiple.
//! They are those by configuration: a failing check is over some day. A server that is only taken down or brought back
//! is no change of the list: who had its flows stands first in the ranking that everybody knows, so nothing is counted.

use std::{collections::HashMap, fmt, net::IpAddr};

use crate::{
    config::model::{Health, PreviousServer, Role, Selection, Server, ServerMac, Service, State},
    decide::slots::SlotTable,
};

/// How many sums are compared at most.
const SUMS: u64 = 65_536;

/// How many flows move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Moved {
    /// Of 100; 0: fewer than one.
    pub percent: u32,
    /// Of 100 that move, those whose former owner a previous list names; `None`: nobody goes by previous lists.
    pub covered: Option<u32>,
    /// Whether there are previous lists.
    listed: bool,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            0 => f.write_str("less than 1 % of the flows")?,
            100 => f.write_str("all flows")?,
            percent => write!(f, "about {percent} % of the flows")?,
        }
        f.write_str(" move to another server")?;
        match self.covered {
            None => Ok(()),
            Some(_) if !self.listed => f.write_str("; there is no `previous` list that covers them"),
            Some(0) => f.write_str("; `previous` covers none of them"),
            Some(100) => f.write_str("; `previous` covers all of them"),
            Some(covered) => write!(f, "; `previous` covers about {covered} % of them"),
        }
    }
}

/// A server as far as it decides: address, weight, whether it takes flows.
type Entry = (IpAddr, u32, bool);

/// Two services as far as they decide.
type Pair<'a> = ([Vec<Entry>; 2], [Selection; 2], bool, &'a [Vec<PreviousServer>]);

/// The moves of services. Those with the same lists are compared once, as there may be thousands.
pub(super) struct Moves<'a> {
    role: Role,
    known: HashMap<Pair<'a>, Option<Moved>>,
}

impl<'a> Moves<'a> {
    /// For hosts with this role.
    pub fn new(role: Role) -> Self {
        Self { role, known: HashMap::new() }
    }

    /// The flows that move; `None`: none.
    pub fn between(&mut self, have: &Service, want: &'a Service) -> Option<Moved> {
        let lists = [have, want].map(entries);
        let same = have.selection == want.selection && have.formula == want.formula && {
            let configured =
                |list: &[Entry]| -> Vec<_> { list.iter().map(|(server, weight, _)| (*server, *weight)).collect() };
            configured(&lists[0]) == configured(&lists[1])
        };
        // Without servers on one side, no flow moves from one server to another.
        if same || lists.iter().any(Vec::is_empty) {
            return None;
        }
        let pair = (lists, [have.selection, want.selection], have.formula == want.formula, &want.previous[..]);
        let role = self.role;
        *self.known.entry(pair).or_insert_with_key(|pair| moved(pair, want, role))
    }
}

fn entries(service: &Service) -> Vec<Entry> {
    service.servers.iter().map(|server| (server.address, server.weight, !server.is_down())).collect()
}

fn moved((lists, selections, same_formula, previous): &Pair<'_>, like: &Service, role: Role) -> Option<Moved> {
    let [before, after] = [0, 1].map(|side| Owners::new(like, selections[side], lists[side].iter().copied()));
    let earlier = previous.iter().map(|list| {
        let list = list.iter().map(|server| (server.address, server.weight, !server.idle));
        Owners::new(like, selections[1], list)
    });
    let earlier: Vec<_> = earlier.collect();
    let (all, moved, covered) =
        if *same_formula { compare(&before, &after, &earlier) } else { compare_apart(&before, &after) };
    (moved > 0).then(|| Moved {
        percent: percent(moved, all),
        covered: match role {
            Role::Balancer | Role::Member | Role::Keep => Some(percent(covered, moved)),
            Role::Steer => None,
        },
        listed: !earlier.is_empty(),
    })
}

/// Rounded, but 100 only if it is all.
fn percent(part: u64, whole: u64) -> u32 {
    let percent = (part * 200 + whole) / (2 * whole);
    if part < whole { percent.min(99) as u32 } else { 100 }
}

/// How many sums are compared, how many of them change their owner, and how many of those an earlier list covers.
fn compare(before: &Owners, after: &Owners, earlier: &[Owners]) -> (u64, u64, u64) {
    let tables = [before, after].into_iter().chain(earlier);
    let common = tables.fold(1, |common, owners| multiple(common, owners.table.len().into()));
    let exact = common <= SUMS;
    let all = common.min(SUMS);
    let (mut moved, mut covered) = (0, 0);
    for number in 0..all {
        let sum = if exact { number } else { spread(number) };
        let (Some(old), Some(new)) = (before.of(sum), after.of(sum)) else { continue };
        if old != new {
            moved += 1;
            covered += u64::from(earlier.iter().any(|owners| owners.of(sum) == Some(old)));
        }
    }
    (all, moved, covered)
}

/// The same if the formula changes: a flow's sums before and after have nothing to do with each other.
fn compare_apart(before: &Owners, after: &Owners) -> (u64, u64, u64) {
    let ([old, new], [slots, new_slots]) = ([before.shares(), after.shares()], [before, after].map(Owners::slots));
    let taken = |shares: &HashMap<IpAddr, u64>| shares.values().sum::<u64>();
    let same: u64 = old.iter().map(|(server, share)| share * new.get(server).copied().unwrap_or_default()).sum();
    (slots * new_slots, taken(&old) * taken(&new) - same, 0)
}

/// The least common multiple, or more than [`SUMS`].
const fn multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    if a > SUMS || divisor == 0 { SUMS + 1 } else { a / divisor * b }
}

/// Sums that are spread evenly whatever they are divided by: SplitMix64's output (Steele, Lea and Flood, OOPSLA 2014).
const fn spread(number: u64) -> u64 {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Who owns each sum under a list of servers.
struct Owners {
    table: SlotTable,
    servers: Vec<IpAddr>,
}

impl Owners {
    fn new(like: &Service, selection: Selection, entries: impl Iterator<Item = Entry>) -> Self {
        let server = |(address, weight, up)| Server {
            address,
            mac: ServerMac::Unresolved,
            vlan: None,
            weight,
            state: if up { State::Up } else { State::Down },
            health: Health::default(),
        };
        let servers: Vec<_> = entries.map(server).collect();
        let addresses = servers.iter().map(|server| server.address).collect();
        let service = Service { servers, selection, check: None, previous: Vec::new(), ..like.clone() };
        Self { table: SlotTable::build(&service), servers: addresses }
    }

    fn of(&self, sum: u64) -> Option<IpAddr> {
        let slot = sum % u64::from(self.table.len());
        self.table.get(slot as u32).map(|server| self.servers[usize::from(server)])
    }

    fn slots(&self) -> u64 {
        self.table.len().into()
    }

    /// How many slots each server owns.
    fn shares(&self) -> HashMap<IpAddr, u64> {
        let mut shares = HashMap::new();
        for server in self.table.iter().flatten() {
            *shares.entry(self.servers[usize::from(server)]).or_default() += 1;
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    /// A service with these servers and previous lists, like `10.0.0.1 weight 2 down`, and further keys.
    fn service(keys: &str, servers: &[&str], lists: &[&[&str]]) -> Service {
        let text = format!("[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n{keys}\n");
        let mut service = parse(&text).unwrap().services.remove(0);
        let read = |text: &&str| text.parse::<PreviousServer>().unwrap();
        service.previous = lists.iter().map(|list| list.iter().map(read).collect()).collect();
        let server = |PreviousServer { address, mac: _, weight, idle }| Server {
            address,
            mac: ServerMac::Unresolved,
            vlan: None,
            weight,
            state: if idle { State::Down } else { State::Up },
            health: Health::default(),
        };
        service.servers = servers.iter().map(read).map(server).collect();
        service
    }

    fn between(have: &Service, want: &Service) -> Option<(u32, u32)> {
        Moves::new(Role::Balancer).between(have, want).map(|moved| (moved.percent, moved.covered.unwrap()))
    }

    const THREE: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    const FOUR: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

    #[test]
    fn small_tables_are_compared_exactly() {
        let three = service("", &THREE, &[]);
        // Of 12 sums 0, 1 and 2 stay.
        assert_eq!(between(&three, &service("", &FOUR, &[])), Some((75, 0)));
        assert_eq!(between(&three, &service("", &FOUR, &[&THREE])), Some((75, 100)));
        assert_eq!(between(&three, &service("", &FOUR, &[&FOUR[..2], &THREE])), Some((75, 100)), "any list counts");
        // The former owners of 3, 5, 7, 8 and 10 have them under the other list as well.
        let found = between(&three, &service("", &FOUR, &[&FOUR[..2]])).unwrap();
        let owned = (0..12_u32).filter(|sum| sum % 3 != sum % 4);
        let (all, covered) =
            owned.fold((0, 0), |(all, covered), sum| (all + 1, covered + u32::from(sum % 3 == sum % 2)));
        assert_eq!((all, found), (9, (75, (covered * 200 + all) / (2 * all))));
        assert_eq!(between(&three, &service("", &["10.0.0.3", "10.0.0.1", "10.0.0.2"], &[])), Some((100, 0)));
        assert_eq!(between(&three, &three), None);
        assert_eq!(between(&three, &service("", &[], &[])), None, "no server");
    }

    /// A server that took no flows then owned nothing: the next of the ranking did.
    #[test]
    fn idle_servers_of_a_list_own_nothing() {
        let have = service("", &["10.0.0.1", "10.0.0.2 down", "10.0.0.3"], &[]);
        let with = |list: &[&str]| between(&have, &service("", &FOUR, &[list])).unwrap();
        let (moved, covered) = with(&["10.0.0.1", "10.0.0.2 down", "10.0.0.3"]);
        assert!((70..=85).contains(&moved) && covered == 100, "{moved} {covered}");
        let (_, covered) = with(&THREE);
        assert!((50..=80).contains(&covered), "the flows of 10.0.0.2 were the others': {covered}");
    }

    #[test]
    fn large_tables_are_sampled() {
        let servers: Vec<_> =
            (0..1_009_u32).map(|number| format!("10.0.{}.{}", number / 250, 1 + number % 250)).collect();
        let servers: Vec<_> = servers.iter().map(String::as_str).collect();
        let have = service("", &servers, &[]);
        let (moved, covered) = between(&have, &service("", &servers[..1_008], &[&servers])).unwrap();
        assert_eq!((moved, covered), (99, 100));
        let resilient = |servers: &[&str]| service("selection = \"resilient\"", servers, &[]);
        let (moved, _) = between(&resilient(&FOUR), &resilient(&THREE)).unwrap();
        assert!((25..=30).contains(&moved), "{moved}");
        // About three of four slots of different tables differ.
        let (moved, _) = between(&service("", &FOUR, &[]), &resilient(&FOUR)).unwrap();
        assert!((72..=78).contains(&moved), "{moved}");
    }

    #[test]
    fn another_formula_moves_what_another_server_gets() {
        let want = service("formula = \"5-tuple\"", &FOUR, &[&FOUR]);
        assert_eq!(between(&service("", &FOUR, &[]), &want), Some((75, 0)));
        assert_eq!(
            between(&service("", &["10.0.0.1"], &[]), &service("formula = \"5-tuple\"", &["10.0.0.1"], &[])),
            None
        );
    }

    /// Its flows are found by the ranking.
    #[test]
    fn a_server_that_goes_down_is_no_change_of_the_list() {
        assert_eq!(
            between(&service("", &THREE, &[]), &service("", &["10.0.0.1 down", "10.0.0.2", "10.0.0.3"], &[])),
            None
        );
    }

    #[test]
    fn in_words() {
        let text = |percent, covered, listed| Moved { percent, covered, listed }.to_string();
        assert_eq!(text(75, None, false), "about 75 % of the flows move to another server");
        assert_eq!(text(0, None, false), "less than 1 % of the flows move to another server");
        assert_eq!(text(100, Some(100), true), "all flows move to another server; `previous` covers all of them");
        assert!(text(75, Some(40), true).ends_with("; `previous` covers about 40 % of them"));
        assert!(text(75, Some(0), true).ends_with("; `previous` covers none of them"));
        assert!(text(75, Some(0), false).ends_with("; there is no `previous` list that covers them"));
        let moved = Moves::new(Role::Steer).between(&service("", &THREE, &[]), &service("", &FOUR, &[]));
        assert_eq!(moved.unwrap().covered, None, "steer knows no connections");
    }
}
