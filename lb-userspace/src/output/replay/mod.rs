//! `replay`: what would have happened to a capture's packets.

use std::{fmt::Write as _, net::IpAddr};

use lb_common::outcome::Outcome;
use serde::Serialize;

use super::{
    counters::{OutcomesView, Traffic},
    render::{Render, table},
};
use crate::config::model::State;

/// The length of the bar of a service's busiest server.
const BAR: usize = 24;

/// The result of a replay.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayView {
    /// The capture.
    pub file: String,
    /// What judged the frames.
    pub judged_by: JudgedView,
    /// The balancer's MACs.
    pub own_macs: Vec<String>,
    /// Whether they were found in the capture rather than given.
    pub own_macs_found: bool,
    /// All frames that could be read.
    #[serde(flatten)]
    pub total: Traffic,
    /// Of these, the truncated ones.
    pub cut: CutView,
    /// Change the capture could not be read to its end; `None`: it could.
    pub error: Option<String>,
    /// The outcomes, without frames that cannot be judged.
    pub outcomes: OutcomesView,
    /// The services and servers that take them.
    pub services: Vec<ReplayService>,
    /// The worst of the services' imbalances.
    pub worst: Option<WorstView>,
    /// Changes to compare.
    pub changes: Vec<ChangeView>,
}

/// How many frames each engine judged; their answers are the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JudgedView {
    /// The loaded program.
    pub kernel: Traffic,
    /// The command itself: all frames with `--without-kernel`, otherwise those that the kernel cannot hand to a
    /// program.
    pub host: Traffic,
}

/// Truncated frames.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CutView {
    /// With everything that decides: judged as if they were whole.
    pub judged: Traffic,
    /// With too little to judge: in no outcome.
    pub undecided: Traffic,
}

/// The load of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayService {
    /// Its name.
    pub name: String,
    /// Its destination.
    pub target: String,
    /// Packets and bytes of all servers.
    #[serde(flatten)]
    pub total: Traffic,
    /// Distinct flows.
    pub flows: u64,
    /// The largest ratio of a server's share to its fair share; `None`: no packets.
    pub imbalance: Option<f64>,
    /// Each server, in the order of the configuration.
    pub servers: Vec<ReplayServer>,
}

/// The load of a server.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayServer {
    /// Its address.
    pub address: IpAddr,
    /// `up` or `down`.
    pub state: &'static str,
    /// How many consecutive slots it takes.
    pub weight: u32,
    /// Packets and bytes.
    #[serde(flatten)]
    pub total: Traffic,
    /// Distinct flows.
    pub flows: u64,
    /// Its part of the service's packets.
    pub share: f64,
    /// Its weight divided by the weights of all servers that are up.
    pub fair_share: f64,
}

/// The server with the largest imbalance.
#[derive(Clone, Debug, Serialize)]
pub struct WorstView {
    /// The service.
    pub service: String,
    /// The server.
    pub server: IpAddr,
    /// Its share divided by its fair share.
    pub imbalance: f64,
}

/// The effect of a change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeView {
    /// The server that would be down.
    pub down: Option<IpAddr>,
    /// The file that would be in force.
    pub against: Option<String>,
    /// Flows that servers take now, and how many move.
    pub flows: MovesView,
    /// Their packets.
    pub packets: MovesView,
    /// Packets that no server takes now and one would take.
    pub packets_taken_anew: u64,
}

/// How much moves.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MovesView {
    /// All.
    pub all: u64,
    /// Those that another server would take, or none.
    pub moved: u64,
    /// Of these, those of servers that stay up; the same as `moved` if no server would be down.
    pub moved_of_others: u64,
    /// Of these, those that no server would take.
    pub unserved: u64,
}

impl ReplayService {
    /// The weights of all servers that are up.
    fn weights(&self) -> u64 {
        self.servers.iter().map(ReplayServer::weight_up).sum()
    }

    /// The server with the largest imbalance.
    fn worst(&self) -> Option<(IpAddr, f64)> {
        let weights = u128::from(self.weights());
        let load = |server: &ReplayServer| {
            let fair = u128::from(self.total.packets) * u128::from(server.weight_up());
            (fair > 0).then(|| (server.address, ratio(u128::from(server.total.packets) * weights, fair)))
        };
        self.servers.iter().filter_map(load).max_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

impl ReplayServer {
    /// Its weight, or 0 if it is down.
    fn weight_up(&self) -> u64 {
        if self.state == State::Up.name() { self.weight.into() } else { 0 }
    }
}

impl ReplayView {
    /// Computes shares and imbalances from the counts.
    pub fn conclude(&mut self) {
        for service in &mut self.services {
            let (packets, weights) = (service.total.packets, service.weights());
            for server in &mut service.servers {
                server.share = ratio(server.total.packets, packets);
                server.fair_share = ratio(server.weight_up(), weights);
            }
            service.imbalance = service.worst().map(|(_, imbalance)| imbalance);
        }
        let worst = self.services.iter().filter_map(|service| {
            let (server, imbalance) = service.worst()?;
            Some(WorstView { service: service.name.clone(), server, imbalance })
        });
        self.worst = worst.max_by(|a, b| a.imbalance.total_cmp(&b.imbalance));
    }

    fn head(&self) -> String {
        let Traffic { packets, bytes } = self.total;
        let mut text = format!("{}: {packets} packets, {bytes} bytes\n", self.file);
        let JudgedView { kernel, host } = self.judged_by;
        let _ = match (kernel.packets > 0, host.packets > 0) {
            (true, false) => writeln!(text, "judged by the loaded program"),
            (true, true) => writeln!(
                text,
                "judged by the loaded program, except {}, too short or too long for it: judged by this command",
                frames(host)
            ),
            (false, _) => writeln!(text, "judged by this command, without the kernel"),
        };
        let macs = self.own_macs.join(", ");
        let _ = match (self.own_macs.is_empty(), self.own_macs_found) {
            (true, _) => writeln!(text, "no frame is addressed to a host, so none is the balancer's"),
            (false, false) => writeln!(text, "frames to {macs} are the balancer's"),
            (false, true) => writeln!(text, "frames to {macs} are the balancer's: most frames for services go there"),
        };
        let CutView { judged, undecided } = self.cut;
        if judged.packets > 0 {
            let _ = writeln!(text, "{} were truncated, but with everything that decides", frames(judged));
        }
        if undecided.packets > 0 {
            let _ =
                writeln!(text, "{} were truncated too early to be judged, and are left out below", frames(undecided));
        }
        text
    }

    fn outcomes(&self) -> String {
        let mut table = table(&["outcome", "packets", "bytes"], &["packets", "bytes"]);
        for &outcome in Outcome::ALL {
            let Traffic { packets, bytes } = self.outcomes.get(outcome);
            table.add_row([outcome.name().to_owned(), packets.to_string(), bytes.to_string()]);
        }
        table.trim_fmt()
    }

    fn changes(&self) -> String {
        let numbers = ["flows", "moved", "of others", "unserved", "packets", "packets moved", "taken anew"];
        let mut table = table(&[&["change"][..], &numbers].concat(), &numbers);
        for change in &self.changes {
            let what = match (&change.down, &change.against) {
                (Some(server), _) => format!("{server} down"),
                (None, Some(file)) => format!("as {file}"),
                (None, None) => String::new(),
            };
            let ChangeView { flows, packets, .. } = change;
            // If no server would be down, all flows are other servers'.
            let others = change.down.map_or_else(|| "-".to_owned(), |_| flows.moved_of_others.to_string());
            let figures = [flows.unserved, packets.all, packets.moved, change.packets_taken_anew];
            let mut row = vec![what, flows.all.to_string(), flows.moved.to_string(), others];
            row.extend(figures.map(|figure| figure.to_string()));
            table.add_row(row);
        }
        table.trim_fmt()
    }
}

impl Render for ReplayView {
    fn render(&self) -> String {
        let mut text = self.head() + "\n" + &self.outcomes();
        for service in &self.services {
            let _ = write!(text, "\n\n{}", service.render());
        }
        if let Some(WorstView { service, server, imbalance }) = &self.worst {
            let _ = write!(
                text,
                "\n\nworst imbalance: {server} of {service} takes {imbalance:.2} times its fair share, the part of the \
                 service's packets that its weight entitles it to"
            );
        }
        if !self.changes.is_empty() {
            let _ = write!(text, "\n\n{}", self.changes());
        }
        text
    }
}

impl Render for ReplayService {
    fn render(&self) -> String {
        let Self { name, target, total: Traffic { packets, bytes }, flows, .. } = self;
        let mut text = format!("{name} ({target}): {packets} packets, {bytes} bytes, {flows} flows");
        if self.servers.is_empty() {
            return text;
        }
        let most = self.servers.iter().map(|server| server.total.packets).max().unwrap_or_default().max(1);
        let numbers = ["packets", "bytes", "flows", "share", "fair"];
        let mut table = table(&[&["server"][..], &numbers, &[""]].concat(), &numbers);
        for server in &self.servers {
            let Traffic { packets, bytes } = server.total;
            let down = if server.state == State::Up.name() { "" } else { " (down)" };
            table.add_row([
                format!("{}{down}", server.address),
                packets.to_string(),
                bytes.to_string(),
                server.flows.to_string(),
                percent(server.share),
                percent(server.fair_share),
                bar(packets, most),
            ]);
        }
        let _ = write!(text, "\n{}", table.trim_fmt());
        text
    }
}

/// At least one character for any packet.
fn bar(packets: u64, most: u64) -> String {
    let length = (u128::from(packets) * BAR as u128).div_ceil(most.into()) as usize;
    "#".repeat(length.min(BAR))
}

fn frames(Traffic { packets, bytes }: Traffic) -> String {
    format!("{packets} of them ({bytes} bytes)")
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// Rounded to six decimals: more would suggest false precision.
fn ratio(part: impl Into<u128>, whole: impl Into<u128>) -> f64 {
    let (part, whole) = (part.into(), whole.into());
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}

#[cfg(test)]
mod tests;
