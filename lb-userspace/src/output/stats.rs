//! `stats`: counters, and rates between two readings of them.

use std::{collections::HashMap, net::IpAddr};

use comfy_table::Table;
use lb_common::{outcome::Outcome, table::Counter};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{Render, table};

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// Frames.
    pub packets: u64,
    /// Bytes of the frames as XDP sees them.
    pub bytes: u64,
}

impl From<Counter> for Traffic {
    fn from(counter: Counter) -> Self {
        Self { packets: counter.packets, bytes: counter.bytes }
    }
}

/// Every counter of an instance.
#[derive(Clone, Debug, Serialize)]
pub struct StatsView {
    /// What happened to packets.
    pub outcomes: OutcomesView,
    /// Which services they were for.
    pub services: Vec<ServiceStats>,
}

/// The counter of each outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutcomesView([Traffic; Outcome::COUNT as usize]);

/// The counters of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStats {
    /// Its name.
    pub name: String,
    /// All of its servers', those that are configured no more included.
    #[serde(flatten)]
    pub total: Traffic,
    /// Each server's.
    pub servers: Vec<ServerStats>,
}

/// The counter of a server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerStats {
    /// Its address.
    pub address: IpAddr,
    /// What it was sent.
    #[serde(flatten)]
    pub total: Traffic,
}

/// Two readings of the counters: as JSON the later one, as text with rates beside.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct StatsRates<'a> {
    now: &'a StatsView,
    #[serde(skip)]
    earlier: &'a StatsView,
    #[serde(skip)]
    seconds: f64,
}

impl OutcomesView {
    /// Asks for the counter of each outcome.
    pub fn new(mut counter: impl FnMut(Outcome) -> Traffic) -> Self {
        let mut counters = Self::default();
        for &outcome in Outcome::ALL {
            counters.0[outcome.index() as usize] = counter(outcome);
        }
        counters
    }

    /// The counter of one outcome.
    pub const fn get(&self, outcome: Outcome) -> Traffic {
        self.0[outcome.index() as usize]
    }
}

impl Serialize for OutcomesView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Outcome::ALL.len()))?;
        for &outcome in Outcome::ALL {
            map.serialize_entry(outcome.name(), &self.get(outcome))?;
        }
        map.end()
    }
}

impl StatsView {
    /// This reading and an `earlier` one, `seconds` before it.
    pub const fn since<'a>(&'a self, earlier: &'a Self, seconds: f64) -> StatsRates<'a> {
        StatsRates { now: self, earlier, seconds }
    }

    /// `before` are the same counters in an earlier reading and the seconds since.
    fn render_with(&self, before: Option<(&Before<'_>, f64)>) -> String {
        let outcomes = self.render_outcomes(before);
        if self.services.is_empty() { outcomes } else { outcomes + "\n\n" + &self.render_services(before) }
    }

    fn render_outcomes(&self, before: Option<(&Before<'_>, f64)>) -> String {
        let mut table = traffic_table(&["outcome"], before.is_some());
        for &outcome in Outcome::ALL {
            let was = before.map(|(before, seconds)| (before.outcomes.get(outcome), seconds));
            add_traffic(&mut table, vec![outcome.name().to_owned()], self.outcomes.get(outcome), was);
        }
        table.trim_fmt()
    }

    fn render_services(&self, before: Option<(&Before<'_>, f64)>) -> String {
        let mut table = traffic_table(&["service", "server"], before.is_some());
        for service in &self.services {
            let was = |server| before.map(|(before, seconds)| (before.of(&service.name, server), seconds));
            add_traffic(&mut table, vec![service.name.clone(), "all".to_owned()], service.total, was(None));
            for server in &service.servers {
                let labels = vec![String::new(), server.address.to_string()];
                add_traffic(&mut table, labels, server.total, was(Some(server.address)));
            }
        }
        table.trim_fmt()
    }
}

/// An earlier reading, arranged for looking up.
struct Before<'a> {
    outcomes: OutcomesView,
    services: HashMap<(&'a str, Option<IpAddr>), Traffic>,
}

impl<'a> Before<'a> {
    fn new(stats: &'a StatsView) -> Self {
        let services = stats.services.iter().flat_map(|service| {
            let name = service.name.as_str();
            let servers = service.servers.iter().map(move |server| ((name, Some(server.address)), server.total));
            servers.chain([((name, None), service.total)])
        });
        Self { outcomes: stats.outcomes, services: services.collect() }
    }

    /// What was not there had counted nothing.
    fn of(&self, service: &str, server: Option<IpAddr>) -> Traffic {
        self.services.get(&(service, server)).copied().unwrap_or_default()
    }
}

impl Render for StatsView {
    fn render(&self) -> String {
        self.render_with(None)
    }
}

impl Render for StatsRates<'_> {
    fn render(&self) -> String {
        self.now.render_with(Some((&Before::new(self.earlier), self.seconds)))
    }
}

fn traffic_table(labels: &[&str], rates: bool) -> Table {
    const NUMBERS: [&str; 4] = ["packets", "bytes", "packets/s", "bytes/s"];
    let numbers = if rates { &NUMBERS[..] } else { &NUMBERS[..2] };
    table(&[labels, numbers].concat(), numbers)
}

fn add_traffic(table: &mut Table, mut row: Vec<String>, now: Traffic, was: Option<(Traffic, f64)>) {
    row.extend([now.packets, now.bytes].map(|number| number.to_string()));
    if let Some((was, seconds)) = was {
        row.extend([(now.packets, was.packets), (now.bytes, was.bytes)].map(|pair| rate(pair, seconds)));
    }
    table.add_row(row);
}

/// Three significant digits and a decimal prefix. A counter that went back belongs to a server that left and came back.
fn rate((now, was): (u64, u64), seconds: f64) -> String {
    let rate = if seconds > 0.0 { now.saturating_sub(was) as f64 / seconds } else { 0.0 };
    let mut scaled = rate;
    let mut prefixes = ["", "k", "M", "G"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    // What rounds to 1000 is shown with the next prefix.
    while scaled >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        scaled /= 1000.0;
    }
    let digits = match scaled {
        0.0 => 0,
        x if x < 9.995 => 2,
        x if x < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{prefix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(packets: u64) -> StatsView {
        let total = Traffic { packets, bytes: packets * 100 };
        let server = |last| ServerStats { address: [10, 0, 0, last].into(), total };
        StatsView {
            outcomes: OutcomesView::new(
                |outcome| {
                    if outcome == Outcome::Forwarded { total } else { Traffic::default() }
                },
            ),
            services: vec![ServiceStats { name: "web".into(), total, servers: vec![server(11)] }],
        }
    }

    #[test]
    fn json() {
        let rest: String =
            Outcome::ALL[1..].iter().map(|outcome| format!(r#","{outcome}":{{"packets":0,"bytes":0}}"#)).collect();
        let expected = format!(
            r#"{{"outcomes":{{"forwarded":{{"packets":7,"bytes":700}}{rest}}},"services":[{{"name":"web","packets":7,"bytes":700,"servers":[{{"address":"10.0.0.11","packets":7,"bytes":700}}]}}]}}"#
        );
        assert_eq!(serde_json::to_string(&stats(7)).unwrap(), expected);
        assert_eq!(serde_json::to_string(&stats(7).since(&stats(5), 1.0)).unwrap(), expected);
    }

    #[test]
    fn text_without_rates() {
        let text = stats(7).render();
        assert!(
            text.starts_with("outcome           packets  bytes\nforwarded               7    700\nlocal  "),
            "{text}"
        );
        let services = "service  server     packets  bytes\nweb      all              7    700\n         10.0.0.11        7    700";
        assert!(text.ends_with(services), "{text}");
    }

    #[test]
    fn text_with_rates() {
        let text = stats(3_000_007).since(&stats(7), 2.0).render();
        let services = "\
service  server     packets      bytes  packets/s  bytes/s
web      all        3000007  300000700      1.50M     150M
         10.0.0.11  3000007  300000700      1.50M     150M";
        assert!(text.ends_with(services), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn rates() {
        let rate = |now, was| rate((now, was), 2.0);
        assert_eq!([rate(0, 0), rate(1, 0), rate(25, 0), rate(999, 1)], ["0", "0.50", "12.5", "499"]);
        assert_eq!([rate(1_999, 0), rate(2_000_000, 0), rate(5, 9)], ["1.00k", "1.00M", "0"]);
        assert_eq!(rate(u64::MAX, 0), "9223372037G");
        assert_eq!(super::rate((5, 0), 0.0), "0");
    }
}
