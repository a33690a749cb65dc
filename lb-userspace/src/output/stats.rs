//! `stats`: counters, and rates between two readings of them.

use comfy_table::Table;
use lb_common::outcome::Outcome;
use serde::Serialize;

use super::{
    counters::{StatsView, Traffic},
    rates::{Rate, Rates, ServiceRates, scaled},
    render::{Render, table},
};

/// Two readings of the counters: the JSON has the later one, the text adds rates.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct StatsRates<'a> {
    now: &'a StatsView,
    #[serde(skip)]
    earlier: &'a StatsView,
    #[serde(skip)]
    seconds: f64,
}

impl StatsView {
    /// This reading and an `earlier` one, `seconds` before it.
    pub const fn since<'a>(&'a self, earlier: &'a Self, seconds: f64) -> StatsRates<'a> {
        StatsRates { now: self, earlier, seconds }
    }

    /// The text, with rates if given.
    fn render_with(&self, rates: Option<&Rates>) -> String {
        let outcomes = self.render_outcomes(rates);
        if self.services.is_empty() { outcomes } else { outcomes + "\n\n" + &self.render_services(rates) }
    }

    fn render_outcomes(&self, rates: Option<&Rates>) -> String {
        let mut table = traffic_table(&["outcome"], rates.is_some());
        for &outcome in Outcome::ALL {
            let rate = rates.map(|rates| rates.outcome(outcome));
            add_traffic(&mut table, vec![outcome.name().to_owned()], self.outcomes.get(outcome), rate);
        }
        table.trim_fmt()
    }

    fn render_services(&self, rates: Option<&Rates>) -> String {
        let mut table = traffic_table(&["service", "server"], rates.is_some());
        for (number, service) in self.services.iter().enumerate() {
            let rates: Option<&ServiceRates> = rates.and_then(|rates| rates.services.get(number));
            let labels = vec![service.name.clone(), "all".to_owned()];
            add_traffic(&mut table, labels, service.total, rates.map(|rates| rates.total));
            for (number, server) in service.servers.iter().enumerate() {
                let labels = vec![String::new(), server.address.to_string()];
                let rate = rates.and_then(|rates| rates.servers.get(number)).copied();
                add_traffic(&mut table, labels, server.total, rate);
            }
        }
        table.trim_fmt()
    }
}

impl Render for StatsView {
    fn render(&self) -> String {
        self.render_with(None)
    }
}

impl Render for StatsRates<'_> {
    fn render(&self) -> String {
        self.now.render_with(Some(&Rates::between(self.earlier, self.now, self.seconds)))
    }
}

fn traffic_table(labels: &[&str], rates: bool) -> Table {
    const NUMBERS: [&str; 4] = ["packets", "bytes", "packets/s", "bytes/s"];
    let numbers = if rates { &NUMBERS[..] } else { &NUMBERS[..2] };
    table(&[labels, numbers].concat(), numbers)
}

fn add_traffic(table: &mut Table, mut row: Vec<String>, total: Traffic, rate: Option<Rate>) {
    row.extend([total.packets, total.bytes].map(|number| number.to_string()));
    row.extend(rate.into_iter().flat_map(|rate| [scaled(rate.packets), scaled(rate.bytes)]));
    table.add_row(row);
}

#[cfg(test)]
mod tests {
    use super::{
        super::counters::{OutcomesView, ServerStats, ServiceStats},
        *,
    };

    fn stats(packets: u64) -> StatsView {
        let total = Traffic { packets, bytes: packets * 100 };
        let server = |last| ServerStats { address: [10, 0, 0, last].into(), total };
        StatsView {
            outcomes: OutcomesView::new(
                |outcome| {
                    if outcome == Outcome::Forwarded { total } else { Traffic::default() }
                },
            ),
            services: vec![ServiceStats { name: "web".into(), total, servers: vec![server(11)], taken_last: None }],
        }
    }

    #[test]
    fn the_json_keeps_its_shape() {
        let rest: String =
            Outcome::ALL[1..].iter().map(|outcome| format!(r#","{outcome}":{{"packets":0,"bytes":0}}"#)).collect();
        let expected = format!(
            r#"{{"outcomes":{{"forwarded":{{"packets":7,"bytes":700}}{rest}}},"services":[{{"name":"web","packets":7,"bytes":700,"servers":[{{"address":"10.0.0.11","packets":7,"bytes":700}}]}}]}}"#
        );
        assert_eq!(serde_json::to_string(&stats(7)).unwrap(), expected);
        assert_eq!(serde_json::to_string(&stats(7).since(&stats(5), 1.0)).unwrap(), expected);
    }

    #[test]
    fn the_text_has_totals() {
        let text = stats(7).render();
        assert!(
            text.starts_with("outcome           packets  bytes\nforwarded               7    700\nlocal  "),
            "{text}"
        );
        let services = "service  server     packets  bytes\nweb      all              7    700\n         10.0.0.11        7    700";
        assert!(text.ends_with(services), "{text}");
    }

    #[test]
    fn the_text_has_rates_if_asked_for() {
        let text = stats(3_000_007).since(&stats(7), 2.0).render();
        let services = "\
service  server     packets      bytes  packets/s  bytes/s
web      all        3000007  300000700      1.50M     150M
         10.0.0.11  3000007  300000700      1.50M     150M";
        assert!(text.ends_with(services), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }
}
