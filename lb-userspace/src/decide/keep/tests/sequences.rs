//! Every sequence of four changes, each of six kinds, by hosts that learn of them in any order.

use super::{
    changes::{Chance, arrives},
    *,
};

/// Connections that are opened before each change.
const FLOWS: usize = 6;

/// How many changes follow each other.
const CHANGES: usize = 4;

/// Servers of the first list, of which as many are down as there may be `Up`s.
const SERVERS: u8 = 9;

/// A kind of change by the operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Add,
    Remove,
    Down,
    Up,
    Weight,
    Reorder,
}

const KINDS: [Kind; 6] = [Kind::Add, Kind::Remove, Kind::Down, Kind::Up, Kind::Weight, Kind::Reorder];

/// Who knows only the list before, while packets arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Late {
    Balancers,
    Servers,
    HalfOfTheServers,
}

/// A file and what is made of it.
struct Generation {
    file: File,
    view: View,
}

impl Generation {
    fn of(file: File) -> Self {
        Self { view: View::of(&file), file }
    }

    /// The next one after a change, which knows this list.
    fn then(&self, kind: Kind, chance: &mut Chance) -> Self {
        let mut file = self.file.clone();
        let list = &mut file.lists[0];
        let is_up = |file: &File, server: IpAddr| !file.states.contains_key(&server);
        let up = list.servers.iter().filter(|(server, _)| is_up(&self.file, *server)).count();
        // One must be left that takes flows.
        let fits = |server: IpAddr| match kind {
            Kind::Up => !is_up(&self.file, server),
            Kind::Down => up > 1 && is_up(&self.file, server),
            Kind::Remove => up > 1 || !is_up(&self.file, server),
            Kind::Add | Kind::Weight | Kind::Reorder => true,
        };
        let places: Vec<_> = (0..list.servers.len()).filter(|place| fits(list.servers[*place].0)).collect();
        let place = places[chance.below(places.len())];
        let server = list.servers[place].0;
        let six = server.is_ipv6();
        match kind {
            Kind::Add => {
                let absent = |number: &u8| list.servers.iter().all(|(server, _)| *server != address(six, *number));
                let absent: Vec<_> = (0..40).filter(absent).collect();
                list.servers.insert(place, (address(six, absent[chance.below(absent.len())]), 1));
            }
            Kind::Remove => {
                list.servers.remove(place);
                file.states.remove(&server);
            }
            Kind::Down => drop(file.states.insert(server, Now::Down)),
            Kind::Up => drop(file.states.remove(&server)),
            Kind::Weight => list.servers[place].1 = 1 + (list.servers[place].1 + chance.below(2) as u32) % 3,
            // Never as it was.
            Kind::Reorder => {
                let by = 1 + chance.below(list.servers.len() - 1);
                list.servers.rotate_left(by);
            }
        }
        let mut before = self.file.lists[0].clone();
        before.idle = before.servers.iter().map(|(server, _)| *server).filter(|it| !is_up(&self.file, *it)).collect();
        file.lists.insert(1, before);
        Self::of(file)
    }
}

/// Goes through every sequence.
struct Walk {
    chance: Chance,
    sequences: usize,
    tried: usize,
    lost: Vec<String>,
}

impl Walk {
    /// Goes on from the last of some generations, with the connections that were opened in them.
    fn go_on(&mut self, generations: &mut Vec<Generation>, kinds: &mut Vec<Kind>, flows: &[(BigUint, IpAddr)]) {
        if kinds.len() == CHANGES {
            self.sequences += 1;
            return;
        }
        for kind in KINDS {
            let now = generations.last().unwrap();
            let mut flows = flows.to_vec();
            for _ in 0..FLOWS {
                let sum = BigUint::from(self.chance.below(1 << 31));
                let owner = now.view.owner(&sum).unwrap();
                flows.push((sum, owner));
            }
            generations.push(now.then(kind, &mut self.chance));
            kinds.push(kind);
            self.check(generations, kinds, &flows);
            self.go_on(generations, kinds, &flows);
            kinds.pop();
            generations.pop();
        }
    }

    /// Whether every connection's packets arrive during the last change.
    fn check(&mut self, generations: &[Generation], kinds: &[Kind], flows: &[(BigUint, IpAddr)]) {
        let [.., before, now] = generations else { unreachable!() };
        let views = [&before.view, &now.view];
        for (number, (sum, holder)) in flows.iter().enumerate() {
            let holders = views.map(|view| view.holders(sum));
            let owners = views.map(|view| view.owner(sum).unwrap());
            let flow = (self.tried as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for late in [Late::Balancers, Late::Servers, Late::HalfOfTheServers] {
                let half = self.chance.below(2);
                let knows = |server: IpAddr| match late {
                    Late::Balancers => 1,
                    Late::Servers => 0,
                    Late::HalfOfTheServers => (ring::hash(server) as usize + half) % 2,
                };
                let start = owners[usize::from(late != Late::Balancers)];
                self.tried += 1;
                if !arrives(start, *holder, flow, |at| holders[knows(at)].clone()) {
                    self.lost.push(format!("{kinds:?}, {late:?}, flow {number} of {holder}"));
                }
            }
        }
    }
}

#[test]
fn no_sequence_of_four_changes_loses_a_connection() {
    for (slots, six) in [(None, false), (Some(SLOTS), true)] {
        let servers = (0..SERVERS).map(|number| (address(six, number), 1)).collect();
        let states = (0..CHANGES as u8).map(|number| (address(six, 2 * number), Now::Down)).collect();
        let file = File { slots, lists: vec![List { servers, idle: Vec::new() }], states };
        let mut walk = Walk { chance: Chance(4), sequences: 0, tried: 0, lost: Vec::new() };
        walk.go_on(&mut vec![Generation::of(file)], &mut Vec::new(), &[]);
        assert_eq!(walk.sequences, 1_296);
        println!("{slots:?}: {} of {} lost", walk.lost.len(), walk.tried);
        assert!(walk.lost.is_empty(), "{:?}", walk.lost.iter().take(10).collect::<Vec<_>>());
    }
}
