//! `trace`: what happened to a packet, in a line.

use std::{fmt::Write as _, net::IpAddr};

use lb_common::outcome::Outcome;
use serde::{Serialize, Serializer};

use crate::config::model::Formula;

/// What happened to a packet.
#[derive(Clone, Debug, Serialize)]
pub struct TraceView {
    /// The time in UTC (RFC 3339).
    pub time: String,
    /// The same in this host's zone, for people.
    #[serde(skip)]
    pub time_of_day: String,
    /// The interface by which it came; in role `steer` the one by which it leaves.
    pub interface: String,
    /// The outcome.
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Outcome,
    /// The program's verdict: `pass`, `drop`, `tx` or `redirect`.
    pub action: &'static str,
    /// The IP protocol: a name or a number.
    pub protocol: Option<String>,
    /// The client's address, from the oriented tuple; if the datapath found no tuple, the frame's source address.
    pub source: Option<IpAddr>,
    /// The client's port; 0 if the protocol has none.
    pub source_port: Option<u16>,
    /// The service's address.
    pub destination: Option<IpAddr>,
    /// The service's port; 0 if the protocol has none.
    pub destination_port: Option<u16>,
    /// Whether it is a fragment, whose ports do not count.
    pub fragment: bool,
    /// Whether it is an ICMP error; the tuple is then that of the quoted packet.
    pub icmp_error: bool,
    /// Whether it comes from the service, so that the tuple is swapped.
    pub reply: bool,
    /// The service's name at that time.
    pub service: Option<String>,
    /// The service's formula.
    #[serde(serialize_with = "serialize_formula")]
    pub formula: Option<Formula>,
    /// The exact sum, in decimal.
    pub sum: Option<String>,
    /// T, the length of the slot table.
    pub slots: Option<u32>,
    /// The slot: the sum modulo T.
    pub slot: Option<u32>,
    /// The server's address at that time.
    pub server: Option<IpAddr>,
    /// The interface that it was sent by, if different.
    pub sent_by: Option<String>,
    /// The number of the configuration in force: each change adds one.
    pub generation: u64,
    /// Bytes of the frame.
    pub length: u32,
    /// The number of frames that it becomes on the wire.
    pub frames: u32,
    /// The sender's MAC.
    pub source_mac: Option<String>,
    /// The destination MAC.
    pub destination_mac: Option<String>,
    /// The EtherType, as in `0x0806`.
    pub ether_type: Option<String>,
}

impl TraceView {
    /// `sum % T = slot`.
    pub fn arithmetic(&self) -> Option<String> {
        match (&self.sum, self.slots, self.slot) {
            (Some(sum), Some(slots), Some(slot)) => Some(format!("{sum} % {slots} = {slot}")),
            _ => None,
        }
    }

    /// The comment on the frame in a capture.
    pub fn comment(&self) -> String {
        let mut text = self.outcome.name().to_owned();
        if let Some(service) = &self.service {
            let _ = write!(text, ", service {service}");
        }
        if let Some(server) = self.server {
            let _ = write!(text, ", server {server}");
        }
        if let (Some(formula), Some(arithmetic)) = (self.formula, self.arithmetic()) {
            let _ = write!(text, ", {} {arithmetic}", formula.name());
        }
        if self.icmp_error && self.service.is_some() {
            text += ", by the packet that it quotes";
        }
        text
    }

    fn who(&self) -> String {
        match (self.source, self.destination) {
            (Some(source), Some(destination)) => {
                let source = endpoint(source, self.source_port);
                let arrow = if self.reply { "<-" } else { "->" };
                format!("{source} {arrow} {}", endpoint(destination, self.destination_port))
            }
            _ => {
                let [source, destination, carries] = [&self.source_mac, &self.destination_mac, &self.ether_type]
                    .map(|part| part.as_deref().unwrap_or("?"));
                format!("{source} -> {destination} {carries}")
            }
        }
    }

    fn kind(&self) -> String {
        let mut kind = self.protocol.clone().unwrap_or_else(|| "-".to_owned());
        if self.fragment {
            kind += " fragment";
        }
        if self.icmp_error {
            kind += " error";
        }
        kind
    }
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    match (address, port.filter(|port| *port != 0)) {
        (address, None) => address.to_string(),
        (address, Some(port)) => std::net::SocketAddr::new(address, port).to_string(),
    }
}

/// Formats aligned lines: each column grows to its widest value so far.
#[derive(Clone, Debug)]
pub struct TraceLines {
    widths: [usize; COLUMNS],
}

const COLUMNS: usize = 7;

impl Default for TraceLines {
    /// Widths that suffice for most IPv4 packets of a small service.
    fn default() -> Self {
        Self { widths: [15, 4, 4, 40, 4, 20, 10] }
    }
}

impl TraceLines {
    /// The line of a packet.
    pub fn line(&mut self, view: &TraceView) -> String {
        let dash = || "-".to_owned();
        let cells: [String; COLUMNS] = [
            view.time_of_day.clone(),
            view.interface.clone(),
            view.kind(),
            view.who(),
            view.service.clone().unwrap_or_else(dash),
            view.arithmetic().unwrap_or_else(dash),
            view.server.map_or_else(dash, |server| server.to_string()),
        ];
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            *width = cell.chars().count().max(*width);
            let _ = write!(line, "{cell:width$}  ", width = *width);
        }
        line += view.outcome.name();
        line
    }
}

/// How a trace ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TraceSummary {
    /// Packets that the programs handled.
    pub seen: u64,
    /// Packets shown.
    pub shown: u64,
    /// Matching packets dropped because the buffer was full.
    pub lost: u64,
}

impl TraceSummary {
    /// In a line.
    pub fn line(&self) -> String {
        let Self { seen, shown, lost } = self;
        format!("{seen} packets seen, {shown} shown, {lost} lost")
    }
}

fn serialize_outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.name())
}

fn serialize_formula<S: Serializer>(formula: &Option<Formula>, serializer: S) -> Result<S::Ok, S::Error> {
    formula.map(Formula::name).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded() -> TraceView {
        TraceView {
            time: "2026-11-24T14:23:07.123456789Z".into(),
            time_of_day: "15:23:07.123456".into(),
            interface: "eth0".into(),
            outcome: Outcome::Forwarded,
            action: "tx",
            protocol: Some("tcp".into()),
            source: Some([198, 51, 100, 7].into()),
            source_port: Some(51_234),
            destination: Some([203, 0, 113, 10].into()),
            destination_port: Some(443),
            fragment: false,
            icmp_error: false,
            reply: false,
            service: Some("web".into()),
            formula: Some(Formula::ThreeTuple),
            sum: Some("6731060940".into()),
            slots: Some(3),
            slot: Some(0),
            server: Some([10, 0, 0, 11].into()),
            sent_by: None,
            generation: 1,
            length: 60,
            frames: 1,
            source_mac: None,
            destination_mac: None,
            ether_type: None,
        }
    }

    #[test]
    fn the_json_keeps_its_shape() {
        assert_eq!(
            serde_json::to_string(&forwarded()).unwrap(),
            r#"{"time":"2026-11-24T14:23:07.123456789Z","interface":"eth0","outcome":"forwarded","action":"tx","protocol":"tcp","source":"198.51.100.7","source_port":51234,"destination":"203.0.113.10","destination_port":443,"fragment":false,"icmp_error":false,"reply":false,"service":"web","formula":"3-tuple","sum":"6731060940","slots":3,"slot":0,"server":"10.0.0.11","sent_by":null,"generation":1,"length":60,"frames":1,"source_mac":null,"destination_mac":null,"ether_type":null}"#
        );
    }

    #[test]
    fn columns_are_aligned() {
        let mut lines = TraceLines::default();
        let first = lines.line(&forwarded());
        let other = TraceView {
            outcome: Outcome::NotIp,
            protocol: None,
            source: None,
            destination: None,
            service: None,
            sum: None,
            server: None,
            source_mac: Some("02:00:00:00:00:02".into()),
            destination_mac: Some("ff:ff:ff:ff:ff:ff".into()),
            ether_type: Some("0x0806".into()),
            ..forwarded()
        };
        let second = lines.line(&other);
        assert_eq!(
            first,
            "15:23:07.123456  eth0  tcp   198.51.100.7:51234 -> 203.0.113.10:443    web   6731060940 % 3 = 0    10.0.0.11   forwarded"
        );
        assert_eq!(
            second,
            "15:23:07.123456  eth0  -     02:00:00:00:00:02 -> ff:ff:ff:ff:ff:ff 0x0806  -     -                     -           not_ip"
        );
    }

    #[test]
    fn a_comment_has_outcome_service_server_and_arithmetic() {
        assert_eq!(forwarded().comment(), "forwarded, service web, server 10.0.0.11, 3-tuple 6731060940 % 3 = 0");
    }
}
