//! `explain`: the arithmetic for one packet.

use std::fmt::Write as _;

use lb_common::outcome::Outcome;

use super::render::{Render, or_dash, table};
use crate::{
    config::model::Direction,
    decide::{
        explain::{Absent, Explanation, FromPeers},
        keep::{
            explained::{Explained, ExplainedHolder},
            holders::Reason,
        },
    },
};

impl Render for Explanation {
    fn render(&self) -> String {
        let mut text = format!("service  {}\n", or_dash(self.service.as_deref()));
        if let Some(formula) = self.formula {
            let _ = writeln!(text, "formula  {}", formula.name());
        }
        if self.direction == Some(Direction::Reply) {
            text += "direction  reply: the packet comes from the service, so source and destination are swapped\n";
        }
        if let Some(sum) = &self.sum {
            let _ = write!(text, "\n{}\n{}\n", self.render_sum(sum), self.render_slot(sum));
        }
        if let Some(server) = self.server {
            let vlan = match self.vlan {
                None => String::new(),
                Some(0) => ", without a VLAN tag".to_owned(),
                Some(vlan) => format!(", in VLAN {vlan}"),
            };
            let where_it_is = match (self.outcome, self.mac) {
                (Outcome::Accepted, _) => ", which is this host".to_owned(),
                (Outcome::Others, _) => ", which is not this host".to_owned(),
                (_, Some(mac)) => format!(" at {mac}{vlan}"),
                (_, None) => format!(" whose MAC is unknown{vlan}"),
            };
            let _ = writeln!(text, "server   {server}{where_it_is}");
        }
        if let Some(Absent { server, state, reason }) = &self.instead_of {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let _ = writeln!(text, "instead of {server}, which is {state}{reason}");
        }
        let _ = write!(text, "outcome  {}: {}", self.outcome, self.outcome.meaning());
        if let Some(peers) = &self.from_peers {
            let _ = write!(text, "\n{}", peers.render());
        }
        if let Some(keep) = &self.keep {
            text += &keep.render();
        }
        text
    }
}

impl FromPeers {
    fn render(&self) -> String {
        if self.applies {
            return "peers    a peer of the service sent it, so it is not balanced again".to_owned();
        }
        let macs: Vec<_> = self.macs.iter().map(ToString::to_string).collect();
        let what = if self.outcome == Outcome::Local {
            "passed to this host, which is a server of the service"
        } else {
            "dropped"
        };
        format!("peers    what {} sends is not balanced again but {what} ({})", macs.join(" or "), self.outcome)
    }
}

impl Explained {
    fn render(&self) -> String {
        let mut text = String::new();
        let width = self.holders.iter().map(|holder| holder.server.to_string().len()).max().unwrap_or_default();
        for (number, holder) in self.holders.iter().enumerate() {
            let label = if number == 0 { "holders" } else { "" };
            let _ = write!(text, "\n{label:<9}{:<width$}  {}", holder.server.to_string(), holder.reason);
        }
        match &self.ring {
            _ if self.in_group => text += self.render_group(),
            None => text += "\nring     not known without the source port",
            Some(ring) => {
                let round = ring.iter().chain(ring.first()).map(ToString::to_string);
                let _ = write!(text, "\nring     {}", or_dash(Some(&round.collect::<Vec<_>>().join(" → "))));
            }
        }
        text
    }
}

impl Explained {
    /// Who accepts in a group.
    fn render_group(&self) -> &'static str {
        match &self.holders[..] {
            [ExplainedHolder { reason: Reason::OwnerNow, .. }] => {
                "\nmembers  who holds the connection accepts, else the owner"
            }
            [ExplainedHolder { reason: Reason::OwnerNow, .. }, ..] => {
                "\nmembers  who holds the connection accepts; a SYN that opens one is the owner's; the rest is dropped"
            }
            _ => "\nmembers  who holds the connection accepts; the rest is dropped",
        }
    }
}

impl Explanation {
    fn render_sum(&self, sum: &str) -> String {
        let mut lines = table(&["", "", "number"], &["number"]);
        for (index, (label, number)) in self.addends.iter().enumerate() {
            lines.add_row([if index == 0 { "" } else { "+" }, label, number]);
        }
        lines.add_row(["=", "sum", sum]);
        // The rows need no header.
        indent(lines.trim_fmt().lines().skip(1))
    }

    fn render_slot(&self, sum: &str) -> String {
        let (Some(slots), Some(slot)) = (self.slots, self.slot) else { return String::new() };
        let remainder = format!("\n{sum} % {slots} = {slot}");
        match self.n {
            // If there are as many slots as N, the remainder is the formula's own.
            Some(n) if n != slots => indent(format!("{remainder}   (N = {n}, dealt to {slots} slots)").lines()) + "\n",
            Some(_) | None => indent(remainder.lines()) + "\n",
        }
    }
}

fn indent<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use lb_common::{formula::Formula, mac::Mac};

    use super::*;

    fn forwarded() -> Explanation {
        let addend = |label: &str, number: &str| (label.to_owned(), number.to_owned());
        Explanation {
            outcome: Outcome::Forwarded,
            service: Some("web".into()),
            formula: Some(Formula::ThreeTuple),
            direction: Some(Direction::Forward),
            sum: Some("6731060940".into()),
            n: Some(3),
            slots: Some(3),
            slot: Some(0),
            server: Some([10, 0, 0, 11].into()),
            mac: Some(Mac([2, 0, 0, 0, 0, 0x11])),
            vlan: None,
            from_peers: None,
            instead_of: None,
            keep: None,
            addends: vec![
                addend("source address 198.51.100.7", "3325256711"),
                addend("destination address 203.0.113.10", "3405803786"),
                addend("destination port", "443"),
            ],
        }
    }

    fn unmatched() -> Explanation {
        Explanation::of(Outcome::NoService)
    }

    #[test]
    fn the_json_keeps_its_shape() {
        assert_eq!(
            serde_json::to_string(&forwarded()).unwrap(),
            r#"{"outcome":"forwarded","service":"web","formula":"3-tuple","direction":"forward","sum":"6731060940","n":3,"slots":3,"slot":0,"server":"10.0.0.11","mac":"02:00:00:00:00:11","vlan":null,"from_peers":null}"#
        );
        assert_eq!(
            serde_json::to_string(&unmatched()).unwrap(),
            r#"{"outcome":"no_service","service":null,"formula":null,"direction":null,"sum":null,"n":null,"slots":null,"slot":null,"server":null,"mac":null,"vlan":null,"from_peers":null}"#
        );
    }

    #[test]
    fn the_text_shows_the_arithmetic() {
        assert_eq!(
            forwarded().render(),
            "\
service  web
formula  3-tuple

     source address 198.51.100.7       3325256711
  +  destination address 203.0.113.10  3405803786
  +  destination port                         443
  =  sum                               6731060940

  6731060940 % 3 = 0

server   10.0.0.11 at 02:00:00:00:00:11
outcome  forwarded: sent to the server"
        );
        assert_eq!(unmatched().render(), "service  -\noutcome  no_service: passed untouched, no service matches");
    }

    #[test]
    fn the_text_names_the_server_that_is_absent() {
        let absent = |reason: Option<&str>| Absent {
            server: [10, 0, 0, 12].into(),
            state: "down",
            reason: reason.map(str::to_owned),
        };
        let text = |reason| Explanation { instead_of: Some(absent(reason)), ..forwarded() }.render();
        let line = "instead of 10.0.0.12, which is down: by hand, until `modlb server up`\n";
        assert!(text(Some("by hand, until `modlb server up`")).contains(line));
        assert!(text(None).contains("instead of 10.0.0.12, which is down\n"));
    }

    #[test]
    fn the_text_names_the_vlan() {
        for (vlan, line) in [
            (20, "server   10.0.0.11 at 02:00:00:00:00:11, in VLAN 20"),
            (0, "server   10.0.0.11 at 02:00:00:00:00:11, without a VLAN tag"),
        ] {
            let text = Explanation { vlan: Some(vlan), ..forwarded() }.render();
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }

    #[test]
    fn the_text_says_what_becomes_of_peers_frames() {
        let macs = [1, 2].map(|last| Mac([2, 0, 0, 0, 0, last])).to_vec();
        let peers = |outcome, applies| FromPeers { outcome, macs: macs.clone(), applies };
        let text = |from_peers| Explanation { from_peers: Some(from_peers), ..forwarded() }.render();
        let line = |from_peers| text(from_peers).lines().last().unwrap().to_owned();
        assert_eq!(
            line(peers(Outcome::Local, false)),
            "peers    what 02:00:00:00:00:01 or 02:00:00:00:00:02 sends is not balanced again but passed to this host, \
             which is a server of the service (local)"
        );
        assert!(line(peers(Outcome::Loop, false)).ends_with("is not balanced again but dropped (loop)"));
        assert!(
            line(peers(Outcome::Loop, true)).ends_with("a peer of the service sent it, so it is not balanced again")
        );
        let json = serde_json::to_value(peers(Outcome::Loop, true)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"outcome": "loop", "macs": ["02:00:00:00:00:01", "02:00:00:00:00:02"], "applies": true})
        );
    }

    #[test]
    fn the_text_names_holders_and_their_ring() {
        let [owner, other] = [[10, 0, 0, 11], [10, 0, 0, 9]].map(IpAddr::from);
        let holder = |server, reason| ExplainedHolder { server, reason };
        let holders = vec![holder(owner, Reason::OwnerNow), holder(other, Reason::OwnerThen(1))];
        let explained = |ring| Explanation {
            keep: Some(Explained { in_group: false, holders: holders.clone(), ring }),
            ..forwarded()
        };
        let text = explained(Some(vec![other, owner])).render();
        let end = "holders  10.0.0.11  owner now\n         10.0.0.9   owner by previous list 1\n\
                   ring     10.0.0.9 → 10.0.0.11 → 10.0.0.9";
        assert!(text.ends_with(end), "{text}");
        assert!(explained(None).render().ends_with("\nring     not known without the source port"));
        let group = |holders: &[ExplainedHolder]| {
            let holders = holders.to_vec();
            Explanation { keep: Some(Explained { in_group: true, holders, ring: None }), ..forwarded() }.render()
        };
        assert!(group(&holders).ends_with(
            "\nmembers  who holds the connection accepts; a SYN that opens one is the owner's; the rest is dropped"
        ));
        assert!(group(&holders[..1]).ends_with("\nmembers  who holds the connection accepts, else the owner"));
        assert!(group(&holders[1..]).ends_with("\nmembers  who holds the connection accepts; the rest is dropped"));
        let json = serde_json::to_value(explained(Some(vec![other, owner]))).unwrap();
        assert_eq!(json["ring"], serde_json::json!(["10.0.0.9", "10.0.0.11"]));
        assert_eq!(json["holders"][1], serde_json::json!({"server": "10.0.0.9", "reason": "owner by previous list 1"}));
    }

    #[test]
    fn the_text_names_n_if_there_are_more_slots() {
        let text = Explanation { slots: Some(4098), slot: Some(1230), ..forwarded() }.render();
        assert!(text.contains("\n  6731060940 % 4098 = 1230   (N = 3, dealt to 4098 slots)\n"), "{text}");
    }
}
