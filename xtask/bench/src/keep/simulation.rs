//! Which connections break, and how often their packets are handed on.

use std::net::IpAddr;

use lb_userspace::decide::keep::{
    holders,
    walk::{Arrival, Candidates, Step},
};

use super::{
    chance::Chance,
    workload::{Connection, Connections, Epoch, File, LISTS},
};

/// What becomes of a workload's connections.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// The share that breaks, in percent.
    pub broken: f64,
    /// How often packets of the others are handed on, on average over time: extra frames for each packet.
    pub hand_ons: f64,
}

/// Who has the new file and who still has the old one, in the middle of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RollOut {
    /// All servers have the new one, and half of the balancers.
    ServersFirst,
    /// All balancers have the new one, and half of the servers.
    BalancersFirst,
    /// Half of all.
    Together,
}

/// The fate of connections where servers know so many previous lists; `None`: servers do not run role `keep`.
///
/// Every connection sends in each epoch; it breaks when a packet ends at another server than the one that holds it.
pub fn fate(epochs: &[Epoch], connections: &Connections, lists: Option<usize>) -> Fate {
    let (mut broken, mut handed_on, mut time) = (0_u32, 0.0, connections.others_time);
    for connection in &connections.crossing {
        let mut lived =
            epochs.iter().filter(|epoch| connection.from < epoch.to && connection.to > epoch.from).peekable();
        let Some(holder) = lived.peek().map(|epoch| epoch.file.owner(connection)) else { continue };
        let (mut own_hand_ons, mut own_time) = (0.0, 0.0);
        let whole = lived.all(|epoch| {
            let duration = connection.to.min(epoch.to) - connection.from.max(epoch.from);
            own_time += duration;
            let hand_ons = match lists {
                None => (epoch.file.owner(connection) == holder).then_some(0),
                Some(lists) => {
                    let start = epoch.file.owner(connection);
                    arrives(connection, start, holder, |_| &epoch.file, lists)
                }
            };
            own_hand_ons += duration * f64::from(hand_ons.unwrap_or_default());
            hand_ons.is_some()
        });
        if whole {
            (handed_on, time) = (handed_on + own_hand_ons, time + own_time);
        } else {
            broken += 1;
        }
    }
    let all = f64::from(connections.others) + connections.crossing.len() as f64;
    Fate { broken: 100.0 * f64::from(broken) / all, hand_ons: handed_on / time }
}

/// The share of the connections at a step that break only because some hosts still have the old file, in percent, on
/// average over all steps.
pub fn lost_in_roll_out(epochs: &[Epoch], connections: &Connections, roll_out: RollOut, seed: u64) -> f64 {
    let (mut tried, mut lost) = (0_u32, 0_u32);
    for connection in &connections.crossing {
        let lived = |epoch: &&Epoch| connection.from < epoch.to && connection.to > epoch.from;
        let Some(holder) = epochs.iter().find(lived).map(|epoch| epoch.file.owner(connection)) else { continue };
        for pair in epochs.windows(2).filter(|pair| connection.from < pair[1].from && connection.to > pair[1].from) {
            let (old, new) = (&pair[0].file, &pair[1].file);
            let late = |host: u64, may_be: bool| may_be && Chance::new(seed ^ host << 32).even();
            let balancer_may = roll_out != RollOut::BalancersFirst;
            let server_may = roll_out != RollOut::ServersFirst;
            let start = if late(connection.flow, balancer_may) { old } else { new }.owner(connection);
            let file = |server: IpAddr| if late(number(server), server_may) { old } else { new };
            tried += 1;
            if arrives(connection, new.owner(connection), holder, |_| new, LISTS).is_none() {
                continue;
            }
            lost += u32::from(arrives(connection, start, holder, file, LISTS).is_none());
        }
    }
    100.0 * f64::from(lost) / f64::from(tried)
}

/// A number of a server.
fn number(server: IpAddr) -> u64 {
    match server {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits() as u64,
    }
}

/// How often a packet is handed on until it arrives; `None`: it ends elsewhere. `file` is what a server goes by.
fn arrives<'file>(
    connection: &Connection,
    start: IpAddr,
    holder: IpAddr,
    file: impl Fn(IpAddr) -> &'file File,
    lists: usize,
) -> Option<u32> {
    let (mut at, mut hand_ons) = (start, 0);
    while at != holder {
        let file = file(at);
        let entries = file.entries(connection);
        let some = holders::of_entries(&entries[..entries.len().min(lists + 1)]);
        let candidates = Candidates {
            flow: connection.flow,
            owner: None,
            holders: some.iter().map(|holder| file.address(holder.server)).collect(),
        };
        match candidates.step(at, Arrival { hand_ons, syn: false, found: false }) {
            Step::HandOn(next) => (at, hand_ons) = (next, hand_ons + 1),
            Step::Pass | Step::Owner | Step::TakenLast => return None,
        }
    }
    Some(hand_ons)
}

#[cfg(test)]
mod tests {
    use lb_userspace::config::model::Selection;

    use super::*;
    use crate::keep::workload;

    /// Without `keep` a connection breaks whenever its owner changes; each previous list saves more of them.
    #[test]
    fn previous_lists_keep_connections() {
        let (epochs, connections) = (workload::epochs(Selection::Modulo, 1), workload::connections(1.0, 1));
        let broken = |lists| fate(&epochs, &connections, lists).broken;
        let (without, one, eight) = (broken(None), broken(Some(1)), broken(Some(8)));
        assert!(without > 30.0 && one < without / 4.0 && eight < 0.01, "{without}, {one}, {eight}");
        assert_eq!(fate(&epochs, &connections, None).hand_ons, 0.0);
        assert!(fate(&epochs, &connections, Some(8)).hand_ons > 0.5);
        assert!(lost_in_roll_out(&epochs, &connections, RollOut::ServersFirst, 1) < 0.01);
    }
}
