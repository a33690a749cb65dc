//! `explain`: the arithmetic for one packet.

use std::fmt::Write as _;

use lb_common::outcome::Outcome;

use super::render::{Render, or_dash, table};
use crate::{config::model::Direction, decide::explain::Explanation};

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
        let _ = write!(text, "outcome  {}: {}", self.outcome, self.outcome.meaning());
        text
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
            r#"{"outcome":"forwarded","service":"web","formula":"3-tuple","direction":"forward","sum":"6731060940","n":3,"slots":3,"slot":0,"server":"10.0.0.11","mac":"02:00:00:00:00:11","vlan":null}"#
        );
        assert_eq!(
            serde_json::to_string(&unmatched()).unwrap(),
            r#"{"outcome":"no_service","service":null,"formula":null,"direction":null,"sum":null,"n":null,"slots":null,"slot":null,"server":null,"mac":null,"vlan":null}"#
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
    fn the_text_names_n_if_there_are_more_slots() {
        let text = Explanation { slots: Some(4098), slot: Some(1230), ..forwarded() }.render();
        assert!(text.contains("\n  6731060940 % 4098 = 1230   (N = 3, dealt to 4098 slots)\n"), "{text}");
    }
}
