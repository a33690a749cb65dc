//! `replay`: what would have happened to a capture.

use std::{fmt::Write as _, net::IpAddr};

use lb_common::outcome::Outcome;
use serde::Serialize;

use super::{
    counters::{OutcomesView, Traffic},
    render::{Render, table},
};
use crate::config::model::State;

/// How long the bar of the server is that takes most of its service.
const BAR: usize = 24;

/// Everything that a replay found.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayView {
    /// The capture.
    pub file: String,
    /// Who judged the frames.
    pub judged_by: JudgedView,
    /// The MACs whose frames count as the balancer's.
    pub own_macs: Vec<String>,
    /// Whether they were found in the capture rather than given.
    pub own_macs_found: bool,
    /// All frames that could be read.
    #[serde(flatten)]
    pub total: Traffic,
    /// Of these, what the capture cut short.
    pub cut: CutView,
    /// Why the capture could not be read to its end; `None`: it could.
    pub error: Option<String>,
    /// What happens to frames, but for those that nobody can judge.
    pub outcomes: OutcomesView,
    /// Which services and servers take them.
    pub services: Vec<ReplayService>,
    /// The worst of the services' imbalances.
    pub worst: Option<WorstView>,
    /// What other configurations would change.
    pub changes: Vec<ChangeView>,
}

/// Who judged how much; the answers are the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JudgedView {
    /// The loaded program.
    pub kernel: Traffic,
    /// The command itself: everything where the kernel is left out, else what the kernel cannot hand to a program.
    pub host: Traffic,
}

/// Frames that the capture cut short.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CutView {
    /// With all that decides; judged as if they were whole.
    pub judged: Traffic,
    /// With too little to tell what happens to them; in no outcome.
    pub undecided: Traffic,
}

/// What a service takes.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayService {
    /// Its name.
    pub name: String,
    /// What it answers to.
    pub target: String,
    /// Packets and bytes, of all servers.
    #[serde(flatten)]
    pub total: Traffic,
    /// Distinct flows.
    pub flows: u64,
    /// How many times its fair share the server takes that takes most for its weight; `None`: there are no packets.
    pub imbalance: Option<f64>,
    /// Each server, in the order of the configuration.
    pub servers: Vec<ReplayServer>,
}

/// What a server takes.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayServer {
    /// Its address.
    pub address: IpAddr,
    /// `up` or `down`.
    pub state: &'static str,
    /// How many consecutive slots it stands for.
    pub weight: u32,
    /// Packets and bytes.
    #[serde(flatten)]
    pub total: Traffic,
    /// Distinct flows.
    pub flows: u64,
    /// Its part of the service's packets.
    pub share: f64,
    /// The part that its weight entitles it to: of the weights of all servers that are up.
    pub fair_share: f64,
}

/// The server that takes most for its weight.
#[derive(Clone, Debug, Serialize)]
pub struct WorstView {
    /// The service.
    pub service: String,
    /// The server.
    pub server: IpAddr,
    /// Its packets, divided by its fair share of its service's.
    pub imbalance: f64,
}

/// What another configuration would change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeView {
    /// The server that would be down.
    pub down: Option<IpAddr>,
    /// The file that would be in force.
    pub against: Option<String>,
    /// Flows that servers take now.
    pub flows: MovesView,
    /// Their packets.
    pub packets: MovesView,
    /// Packets that no server takes now and one would.
    pub packets_taken_anew: u64,
}

/// How much moves.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MovesView {
    /// All that there is.
    pub all: u64,
    /// What another server would take, or none.
    pub moved: u64,
    /// Of these, what the server does not take that would be down; without such a server, the same.
    pub moved_of_others: u64,
    /// Of these, what no server would take.
    pub unserved: u64,
}

impl ReplayService {
    /// Of all servers that are up.
    fn weights(&self) -> u64 {
        self.servers.iter().map(ReplayServer::weight_up).sum()
    }

    /// The server that takes most for its weight.
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
    /// The weight of one that is down is nothing.
    fn weight_up(&self) -> u64 {
        if self.state == State::Up.name() { self.weight.into() } else { 0 }
    }
}

impl ReplayView {
    /// Fills in what follows from the rest.
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
                "judged by the loaded program, but for {}, too short or too long to be handed to it: those by this command",
                frames(host)
            ),
            (false, _) => writeln!(text, "judged by this command, without the kernel"),
        };
        let macs = self.own_macs.join(", ");
        let _ = match (self.own_macs.is_empty(), self.own_macs_found) {
            (true, _) => writeln!(text, "no frame is addressed to a host, so none is the balancer's"),
            (false, false) => writeln!(text, "frames to {macs} are the balancer's"),
            (false, true) => writeln!(text, "frames to {macs} are the balancer's: most that services take go there"),
        };
        let CutView { judged, undecided } = self.cut;
        if judged.packets > 0 {
            let _ = writeln!(text, "{} were captured short, but with all that decides", frames(judged));
        }
        if undecided.packets > 0 {
            let _ =
                writeln!(text, "{} were captured too short to be judged, and are left out below", frames(undecided));
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
            // Where no server would be down, all are the others.
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
                "\n\nworst imbalance: {server} of {service} takes {imbalance:.2} times its fair share, its weight's part of \
                 the service's packets"
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

/// Any packet at all shows.
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

/// To six digits behind the point: more would only pretend.
fn ratio(part: impl Into<u128>, whole: impl Into<u128>) -> f64 {
    let (part, whole) = (part.into(), whole.into());
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}

#[cfg(test)]
mod tests;
