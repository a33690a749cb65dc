//! `connections`: what a server with role `keep` or a member of a group holds, and what becomes of other packets.

use std::{fmt::Write as _, net::IpAddr, ops::AddAssign};

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    rates::scaled,
    render::{Render, table},
};
use crate::{config::model::count, net::sockets::TcpState};

/// The connections of a server, as `modlb connections` shows them.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionsView {
    /// Whether it is a member of a group, all of whose members receive every packet. Nothing is handed on there.
    #[serde(skip)]
    pub in_group: bool,
    /// The servers of these services that this host is.
    #[serde(rename = "self")]
    pub own: Vec<IpAddr>,
    /// How many it holds.
    pub held: u64,
    /// Packets that were found to belong to connections held here; in a group, of flows that other members own.
    pub kept: CountedView,
    /// Role `keep`: packets of connections that no server has, and that this host was asked for last.
    pub taken_last: CountedView,
    /// By service.
    pub services: Vec<ServiceConnections>,
}

/// The connections of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceConnections {
    /// Its name.
    pub service: String,
    /// Its destination, like `203.0.113.10:443/tcp`.
    pub destination: String,
    /// How many this host holds.
    pub held: u64,
    /// The same by state.
    pub states: StatesView,
    /// Role `keep`: those of this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_last: Option<CountedView>,
    /// Its servers, and those that only `previous` lists have.
    pub servers: Vec<ServerConnections>,
}

/// Packets of a server's connections, as far as this host saw them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerConnections {
    /// Its address.
    pub address: IpAddr,
    /// Whether it is this host. In role `keep`, its packets are of connections that were found here, and those of
    /// others were handed on to them. In a group, they are all packets of the flows that a server owns.
    pub here: bool,
    /// Whether only `previous` lists have it.
    pub former: bool,
    /// Its packets.
    #[serde(flatten)]
    pub counted: CountedView,
}

/// Packets, and how many there are in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CountedView {
    /// Since the server or the instance began.
    pub packets: u64,
    /// The rate.
    pub packets_per_second: f64,
}

impl AddAssign for CountedView {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.packets_per_second += other.packets_per_second;
    }
}

/// Connections by state, in the order of [`TcpState::ALL`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StatesView([u64; TcpState::ALL.len()]);

/// How many connections are left, as `modlb connections --wait` shows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LeftView {
    /// The servers of these services that this host is.
    #[serde(rename = "self")]
    pub own: Vec<IpAddr>,
    /// How many are left.
    pub left: u64,
}

impl StatesView {
    /// Adds a connection.
    pub fn add(&mut self, state: TcpState) {
        for (known, number) in TcpState::ALL.into_iter().zip(&mut self.0) {
            *number += u64::from(known == state);
        }
    }

    /// How many connections have one of these states.
    pub fn of(&self, states: &[TcpState]) -> u64 {
        self.iter().filter(|(state, _)| states.contains(state)).map(|(_, number)| number).sum()
    }

    /// How many connections each state has.
    pub fn iter(&self) -> impl Iterator<Item = (TcpState, u64)> {
        TcpState::ALL.into_iter().zip(self.0)
    }

    /// How many there are.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Serialize for StatesView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(TcpState::ALL.len()))?;
        for (state, number) in self.iter() {
            map.serialize_entry(state.name(), &number)?;
        }
        map.end()
    }
}

/// What the table shows of states that soon end or have just begun.
const COLUMNS: [(&str, &[TcpState]); 4] = [
    ("opening", &[TcpState::SynSent, TcpState::SynRecv]),
    ("established", &[TcpState::Established]),
    ("closing", &[TcpState::CloseWait, TcpState::LastAck, TcpState::FinWait1, TcpState::FinWait2, TcpState::Closing]),
    ("time_wait", &[TcpState::TimeWait]),
];

impl ConnectionsView {
    fn render_services(&self) -> String {
        let names = COLUMNS.map(|(name, _)| name);
        let numbers = [&["held"][..], &names].concat();
        let mut table = table(&[&["service", "destination"][..], &numbers].concat(), &numbers);
        for service in &self.services {
            let mut row = vec![service.service.clone(), service.destination.clone(), service.held.to_string()];
            row.extend(COLUMNS.map(|(_, states)| service.states.of(states).to_string()));
            table.add_row(row);
        }
        table.trim_fmt()
    }

    fn render_servers(&self) -> String {
        let mut table = table(&["service", "server", "outcome", "packets", "packets/s"], &["packets", "packets/s"]);
        for service in &self.services {
            for (place, server) in service.servers.iter().enumerate() {
                let name = if place == 0 { &*service.service } else { "" };
                let outcome = match (self.in_group, server.here) {
                    (false, true) => "kept",
                    (false, false) => "handed_on",
                    (true, true) => "accepted",
                    (true, false) => "others",
                };
                let outcome = if server.former { format!("{outcome}, former server") } else { outcome.to_owned() };
                let CountedView { packets, packets_per_second } = server.counted;
                let (packets, rate) = (packets.to_string(), scaled(packets_per_second));
                table.add_row([name, &server.address.to_string(), &outcome, &packets, &rate]);
            }
            if let Some(CountedView { packets, packets_per_second }) = service.taken_last {
                table.add_row(["", "-", "taken_last", &packets.to_string(), &scaled(packets_per_second)]);
            }
        }
        table.trim_fmt()
    }
}

impl Render for ConnectionsView {
    fn render(&self) -> String {
        let mut text = format!("{} on {}", count(self.held as usize, "connection"), names(&self.own));
        let (outcome, counted) = if self.in_group { ("kept", self.kept) } else { ("taken_last", self.taken_last) };
        let CountedView { packets, packets_per_second } = counted;
        let _ = write!(text, ", {outcome} {packets} ({}/s)", scaled(packets_per_second));
        if self.services.is_empty() {
            return text + "\n\nno service takes TCP";
        }
        format!("{text}\n\n{}\n\n{}", self.render_services(), self.render_servers())
    }
}

impl Render for LeftView {
    fn render(&self) -> String {
        let left = match self.left {
            0 => "no connection".to_owned(),
            left => count(left as usize, "connection"),
        };
        format!("{left} left on {}", names(&self.own))
    }
}

/// The servers that this host is, as a place.
fn names(own: &[IpAddr]) -> String {
    if own.is_empty() {
        return "this host".to_owned();
    }
    own.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> ConnectionsView {
        let server = |last, here, former, packets| ServerConnections {
            address: [10, 0, 0, last].into(),
            here,
            former,
            counted: CountedView { packets, packets_per_second: packets as f64 / 2.0 },
        };
        let mut states = StatesView::default();
        for state in [TcpState::Established, TcpState::Established, TcpState::FinWait2] {
            states.add(state);
        }
        ConnectionsView {
            in_group: false,
            kept: CountedView { packets: 40, packets_per_second: 20.0 },
            own: vec![[10, 0, 0, 12].into()],
            held: states.sum(),
            taken_last: CountedView { packets: 7, packets_per_second: 0.0 },
            services: vec![ServiceConnections {
                service: "web".into(),
                destination: "203.0.113.10:80/tcp".into(),
                held: states.sum(),
                states,
                taken_last: Some(CountedView { packets: 7, packets_per_second: 0.0 }),
                servers: vec![server(11, false, false, 3), server(12, true, false, 40), server(14, false, true, 0)],
            }],
        }
    }

    #[test]
    fn the_json_keeps_its_shape() {
        let expected = concat!(
            r#"{"self":["10.0.0.12"],"held":3,"kept":{"packets":40,"packets_per_second":20.0},"taken_last":{"packets":7,"packets_per_second":0.0},"services":[{"#,
            r#""service":"web","destination":"203.0.113.10:80/tcp","held":3,"states":{"syn_sent":0,"syn_recv":0,"#,
            r#""established":2,"close_wait":0,"last_ack":0,"fin_wait1":0,"fin_wait2":1,"closing":0,"time_wait":0},"#,
            r#""taken_last":{"packets":7,"packets_per_second":0.0},"#,
            r#""servers":[{"address":"10.0.0.11","here":false,"former":false,"packets":3,"packets_per_second":1.5},"#,
            r#"{"address":"10.0.0.12","here":true,"former":false,"packets":40,"packets_per_second":20.0},"#,
            r#"{"address":"10.0.0.14","here":false,"former":true,"packets":0,"packets_per_second":0.0}]}]}"#,
        );
        assert_eq!(serde_json::to_string(&view()).unwrap(), expected);
        let left = LeftView { own: vec![[10, 0, 0, 12].into()], left: 41 };
        assert_eq!(serde_json::to_string(&left).unwrap(), r#"{"self":["10.0.0.12"],"left":41}"#);
    }

    #[test]
    fn the_text_has_states_and_servers() {
        let expected = "\
3 connections on 10.0.0.12, taken_last 7 (0/s)

service  destination          held  opening  established  closing  time_wait
web      203.0.113.10:80/tcp     3        0            2        1          0

service  server     outcome                   packets  packets/s
web      10.0.0.11  handed_on                       3       1.50
         10.0.0.12  kept                           40       20.0
         10.0.0.14  handed_on, former server        0          0
         -          taken_last                      7          0";
        assert_eq!(view().render(), expected);
    }

    #[test]
    fn the_text_of_a_member_has_what_it_accepts() {
        let expected = "\
3 connections on 10.0.0.12, kept 40 (20.0/s)

service  destination          held  opening  established  closing  time_wait
web      203.0.113.10:80/tcp     3        0            2        1          0

service  server     outcome                packets  packets/s
web      10.0.0.11  others                       3       1.50
         10.0.0.12  accepted                    40       20.0
         10.0.0.14  others, former server        0          0";
        let mut view = ConnectionsView { in_group: true, ..view() };
        view.services[0].taken_last = None;
        assert_eq!(view.render(), expected);
    }

    #[test]
    fn how_many_are_left_is_a_sentence() {
        let left = |own: &[IpAddr], left| LeftView { own: own.to_vec(), left }.render();
        let own = [[10, 0, 0, 12].into(), "fd00::c".parse().unwrap()];
        assert_eq!(left(&own[..1], 41), "41 connections left on 10.0.0.12");
        assert_eq!(left(&own, 1), "1 connection left on 10.0.0.12 and fd00::c");
        assert_eq!(left(&[], 0), "no connection left on this host");
    }
}
